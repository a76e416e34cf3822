"""Runs started from the dashboard: a button, what is going on at this moment, and what came of it.

Comes in: who asks and what is to be run. Goes out: a child process (interfaces/serving/child_runs.py) and its progress on the page. What is
shown is read from the workspace each second, so that it is the same for every visitor and after every change of page; only who has
the role admin can start or cancel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from customer_genome.errors import GenomeError, SnapshotError
from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.session import Visit, role_of_visitor, workspace_root
from customer_genome.interfaces.recipes import recall
from customer_genome.interfaces.serving.child_runs import ChildRun, cancel, latest, put_away, start
from customer_genome.interfaces.views.figures import quantity
from customer_genome.snapshot import current_version
from customer_genome.workspace import Workspace

ONLY_ADMIN = (
    "Only the role admin may start runs, because a run replaces what everybody sees. Ask an administrator of this dashboard."
)
UNDER_WAY = "A run is under way in this workspace. One at a time: wait until it has finished, or cancel it."
STAGE_WORDS: Mapping[str, str] = {
    "read": "Reading",
    "clean": "Classing rows",
    "facts": "Facts about customers",
    "score": "Models and scores",
    "publish": "Publishing",
}
_SHOWN = "run_followed"
_VERSION = "published_version"
"""Where session.py keeps the version that a visitor looks at."""


def offer_run(visit: Visit, change: Mapping[str, str], label: str, *, follows: bool = True) -> None:
    """Show a button that runs the workspace's own recipe with settings changed, and the run it started.

    Parameters
    ----------
    change : setting, as in genome.toml, -> its value for this run, such as {"segments.k": "6"}; recipes.SETTING_OPTIONS has them all
    label : what the button says, such as "Run with 6 clusters"
    follows : whether the run is shown here; False where the page shows it elsewhere, or offers several
    """
    place = Workspace(workspace_root())
    run = latest(place)
    is_running = run is not None and run.is_running
    if follows and run is not None and (is_running or st.session_state.get(_SHOWN) == run.run_id):
        show_run(visit.role)
    if visit.role != "admin" or is_running:
        why = UNDER_WAY if is_running else ONLY_ADMIN
        st.button(label, disabled=True, help=why, key=f"run_{label}")
        return
    if st.button(
        label, key=f"run_{label}", help="Reads the same data up to the same day and publishes a new version; this one stays."
    ):
        try:
            manifest = visit.manifest
            recipe = recall(place, manifest).changed(change)
            begin(recipe.arguments(place.root, str(manifest["as_of"])), label)
        except GenomeError as err:
            st.error(plain(err))


def show_version(version: str) -> None:
    """Let this visitor look at another version from now on."""
    st.session_state[_VERSION] = version


def begin(arguments: Sequence[str], label: str, upload: str = "") -> None:
    """Start a run and draw the page again, with its progress.

    Raises
    ------
    WorkspaceError
        When another run is under way.
    """
    run = start(Workspace(workspace_root()), arguments, label, upload)
    st.session_state[_SHOWN] = run.run_id
    st.rerun()


def show_run(role: str, *, offers: bool = True) -> None:
    """Show the run under way, and to an admin what came of the last one; nothing where there is none.

    Parameters
    ----------
    offers : whether to offer the new version; False where the notice of a newer version stands right above
    """
    run = latest(Workspace(workspace_root()))
    if run is None:
        return
    if run.is_running:
        _follow(run.run_id)
    elif role == "admin":
        _show_end(run, offers=offers)


@st.fragment(run_every=1.0)
def _follow(run_id: str) -> None:
    """Show how far a run is, each second anew; the page is drawn again when it has ended.

    The role is asked for each time: between two full runs of the page it may have been taken away.
    """
    run = latest(Workspace(workspace_root()))
    if run is None or run.run_id != run_id or not run.is_running:
        st.session_state[_SHOWN] = run_id
        st.rerun()
    with st.container(border=True):
        words = STAGE_WORDS.get(run.stage, "Starting")
        st.markdown(f"**{plain(run.label)}** · {plain(words)}{': ' + plain(run.message) if run.message else ''}")
        st.progress(min(max(run.fraction, 0.0), 1.0), text=f"{run.seconds:.0f} s so far")
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                aside("You can leave this page; the run goes on. What is published stays as it is until the run has succeeded.")
            )
            if role_of_visitor() == "admin" and st.button("Cancel the run", key="cancel_run"):
                cancel(Workspace(workspace_root()))
                st.rerun()


def _show_end(run: ChildRun, *, offers: bool) -> None:
    """Show what came of a run: the new version, the error with its next step, or that it was cancelled."""
    place = Workspace(workspace_root())
    try:
        stays = f"{current_version(place)} stays current."
    except SnapshotError:
        stays = "Nothing has been published yet."
    with st.container(border=True):
        if run.state == "published":
            st.success(
                f"{plain(run.label)}: {plain(run.version)} was published after {run.seconds:.0f} s, with {quantity(run.customers, 'customers')}.",
                icon=":material/check_circle:",
            )
        elif run.state == "cancelled":
            st.info(f"{plain(run.label)} was cancelled after {run.seconds:.0f} s. {plain(stays)}", icon=":material/cancel:")
        else:
            st.error(f"**{plain(run.label)} failed.** {plain(stays)}", icon=":material/error:")
            st.code(run.error, language=None, wrap_lines=True)
        with st.container(horizontal=True):
            is_elsewhere = run.state == "published" and st.session_state.get(_VERSION) != run.version
            if offers and is_elsewhere and st.button(f"Show {run.version}", type="primary", key="show_published"):
                show_version(run.version)
                put_away(place)
                st.rerun()
            if st.button("Close this note", key="close_run"):
                put_away(place)
                st.rerun()
