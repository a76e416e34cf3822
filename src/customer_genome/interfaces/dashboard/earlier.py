"""What earlier versions said of the customers chosen: the figures a forecast makes anew with every run.

Comes in: the visit and the selection. Goes out: one record per version, small. Versions are opened one at a time and closed again;
what they said is kept until one of their files changes.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import Any

import streamlit as st

from customer_genome.errors import GenomeError, SnapshotError
from customer_genome.genome import Genome
from customer_genome.interfaces.dashboard.filters import Selection
from customer_genome.interfaces.dashboard.session import Visit, hall, workspace_root
from customer_genome.interfaces.views.overview import totals
from customer_genome.snapshot import read_snapshot, versions
from customer_genome.workspace import Workspace

MOST_VERSIONS = 5
"""Earlier versions a trend is made of."""


def older_versions(newer: str) -> dict[str, dict[str, Any]]:
    """Return the manifests of the earlier versions that can be read, the newest first."""
    place = Workspace(workspace_root())
    found: dict[str, dict[str, Any]] = {}
    for name in reversed(versions(place)):
        with suppress(SnapshotError):
            if name < newer:
                found[name] = dict(read_snapshot(place, name).manifest)
    return found


def earlier_totals(seen: Visit, selection: Selection) -> list[dict[str, Any]]:
    """Return `overview.totals` of the customers chosen in up to five earlier versions, oldest first, each with version and as_of.

    Left out are versions whose risk reaches other days, whose money is in another currency, or that lack a column of the filters:
    their figures do not compare.
    """
    found: list[dict[str, Any]] = []
    for name, manifest in older_versions(seen.genome.snapshot.version).items():
        is_alike = all(manifest.get(key) == seen.manifest.get(key) for key in ("horizon_days", "currency", "level"))
        if not is_alike or len(found) >= MOST_VERSIONS:
            continue
        with suppress(GenomeError):
            sums = _totals_of(name, hall(str(workspace_root())).key(name), selection.of_customers)
            found.append(sums | {"version": name, "as_of": dt.date.fromisoformat(manifest["as_of"])})
    return found[::-1]


@st.cache_data(max_entries=200, show_spinner=False)
def _totals_of(version: str, key: str, selection: Selection) -> dict[str, Any]:
    """Return the sums of one version; kept until a file of it changes."""
    with Genome.open(Workspace(workspace_root()), version) as genome:
        return totals(genome, selection)
