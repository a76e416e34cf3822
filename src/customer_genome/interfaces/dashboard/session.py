"""What every page shares: the published version this visitor looks at, kept open, and the notice when a newer one is there.

Comes in: the workspace named by the environment of the server. Goes out: a `Genome` to read from, or an empty state that
says what to do. A session stays on its version until the visitor asks for the new one, so numbers never mix.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import streamlit as st

from customer_genome.errors import GenomeError, SnapshotError
from customer_genome.genome import Genome
from customer_genome.interfaces.dashboard.sign_in import pseudonym_key, require_role
from customer_genome.interfaces.serving.roles import Role
from customer_genome.interfaces.serving.server import WORKSPACE_VARIABLE
from customer_genome.interfaces.views.figures import money
from customer_genome.registry import stored_versions
from customer_genome.snapshot import current_version
from customer_genome.stages.labelled import KIND as LABELLED
from customer_genome.workspace import Workspace

OPEN_VERSIONS = 3
PSEUDONYM_DIGITS = 10
_VERSION = "published_version"


@dataclass(frozen=True)
class Visit:
    """The version a visitor looks at, with what pages need to word and cache numbers.

    Attributes
    ----------
    key : str
        Names the version and its files; figures are cached under it, and erasing a customer changes it.
    role : "viewer", "analyst" or "admin"
        What the visitor may see and do. Without sign-in it is "admin": whoever uses this machine owns its files.
    """

    genome: Genome
    key: str
    role: Role = "admin"

    @property
    def masks(self) -> bool:
        """Whether personal data are masked: ids become pseudonyms, no orders of one person, no downloads that name customers."""
        return self.role == "viewer"

    @property
    def manifest(self) -> Mapping[str, Any]:
        """What the version is."""
        return self.genome.manifest

    @property
    def horizon_days(self) -> int:
        """The days that risk and expected orders reach."""
        return int(self.manifest["horizon_days"])

    def money(self, value: float | None, *, short: bool = False) -> str:
        """Return money in the shop's currency."""
        return money(value, self.genome.currency, short=short)


class Hall:
    """The open versions of a workspace, shared by all visitors of the server."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)
        self._lock = threading.Lock()
        self._open: dict[str, tuple[str, Genome]] = {}

    def visit(self, version: str) -> Visit:
        """Return a version, opened once; its files are opened anew when they were replaced (a customer was erased)."""
        with self._lock:
            stamp = self._stamp(version)
            known = self._open.pop(version, None)
            if known is not None and known[0] != stamp:
                known[1].close()
                known = None
            opened = known or (stamp, Genome.open(self.workspace, version))
            self._open[version] = opened
            while len(self._open) > OPEN_VERSIONS:
                self._open.pop(next(iter(self._open)))[1].close()
        return Visit(opened[1], f"{version} {stamp}")

    def key(self, version: str) -> str:
        """Return what names a version and its files, without opening it."""
        return f"{version} {self._stamp(version)}"

    def _stamp(self, version: str) -> str:
        """Return a mark of the version's files."""
        try:
            file = (self.workspace.published / version / "snapshot.duckdb").stat()
        except OSError:
            return "missing"
        return f"{file.st_ino}-{file.st_mtime_ns}-{file.st_size}"


@st.cache_resource(show_spinner=False)
def _own_pseudonym_key() -> bytes:
    """Return a key of this server alone, for where sign-in gives no lasting secret."""
    return secrets.token_bytes(32)


@st.cache_resource(show_spinner=False)
def _pseudonym_key(root: str) -> bytes:
    """Return the key of pseudonyms; it stays while the secret of sign-in does."""
    return pseudonym_key(Path(root)) or _own_pseudonym_key()


def masked_id(visit: Visit, customer_id: str) -> str:
    """Return what stands for a customer's id on the screen: the id itself, or a stable pseudonym where personal data are masked.

    The pseudonym is a keyed hash: without the key, which stays on the server, nobody finds the id by trying ids.
    """
    if not visit.masks:
        return customer_id
    digest = hmac.new(
        _pseudonym_key(str(workspace_root())), customer_id.encode("utf-8", "surrogatepass"), hashlib.sha256
    ).hexdigest()
    return f"~{digest[:PSEUDONYM_DIGITS]}"


@st.cache_resource(show_spinner=False)
def hall(root: str) -> Hall:
    """Return the open versions of a workspace."""
    return Hall(Path(root))


def workspace_root() -> Path:
    """Return the workspace the server was started for."""
    return Path(os.environ.get(WORKSPACE_VARIABLE, "genome-workspace")).expanduser().resolve()


def visit() -> Visit:
    """Return the version this visitor looks at; without any, show what to do and stop the page."""
    place = hall(str(workspace_root()))
    try:
        version = st.session_state.setdefault(_VERSION, current_version(place.workspace))
        try:
            found = place.visit(version)
        except SnapshotError:
            st.session_state[_VERSION] = current_version(place.workspace)
            found = place.visit(st.session_state[_VERSION])
        return replace(found, role=role_of_visitor())
    except GenomeError as err:
        _show_nothing_to_see(err)


def role_of_visitor() -> Role:
    """Return what this visitor may see and do; whoever has no role gets no further."""
    return require_role(workspace_root())


def offer_newer_version() -> None:
    """Say so when a newer version was published since this visit began, and offer it."""
    shown = st.session_state.get(_VERSION)
    try:
        newest = current_version(Workspace(workspace_root()))
    except SnapshotError:
        return
    if shown is None or newest == shown:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{newest}** has been published. You are looking at {shown}.", width="stretch")
        if st.button(f"Show {newest}", type="primary", key="show_newest"):
            st.session_state[_VERSION] = newest
            st.rerun()


def _show_nothing_to_see(err: GenomeError) -> NoReturn:
    """Show why there is nothing to show and which command changes that."""
    root = workspace_root()
    st.title("Customer Genome")
    published = not isinstance(err, SnapshotError) or (root / "published" / "CURRENT").exists()
    if published:
        st.error(str(err))
        st.markdown("Check the workspace:")
        st.code(f"genome doctor --workspace {root}", language=None, wrap_lines=True)
    else:
        st.subheader("Nothing has been published yet")
        if stored_versions(Workspace(root).models, LABELLED):
            st.page_link(
                "predict.py", label="Ask the model that was learned from labelled customers", icon=":material/person_search:"
            )
        st.page_link("data.py", label="Hand in a file, and see what would be kept of it", icon=":material/upload_file:")
        st.markdown("Or turn a file of order lines into a customer genome where it lies, then reload this page:")
        st.code(f"genome run orders.csv --workspace {root}", language=None, wrap_lines=True)
        st.markdown("No file at hand? Look around with real public data:")
        st.code("genome demo", language=None, wrap_lines=True)
        st.caption(f"Workspace: {root}")
    st.stop()
