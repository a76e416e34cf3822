"""The published versions of a workspace, what each was made from, and what was set otherwise than in the one before.

Comes in: a workspace. Goes out: plain values from the manifests; no version is opened.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from customer_genome.errors import SnapshotError
from customer_genome.snapshot import current_version, read_snapshot, versions
from customer_genome.workspace import Workspace


@dataclass(frozen=True)
class PastRun:
    """One published version.

    Attributes
    ----------
    rows : input rows it was made from
    models : kind -> stored version
    changes : settings that differ from the version before, in words
    """

    version: str
    is_current: bool
    published_at: dt.datetime
    as_of: dt.date
    source: str
    level: str
    rows: int
    customers: int
    revenue: float
    currency: str
    seconds: float
    models: Mapping[str, str]
    notices: tuple[str, ...]
    changes: tuple[str, ...]


def history(workspace: Workspace) -> list[PastRun]:
    """Return the versions that can be read, the newest first."""
    try:
        current = current_version(workspace)
    except SnapshotError:
        return []
    runs: list[PastRun] = []
    before: Mapping[str, Any] | None = None
    for name in versions(workspace):
        with suppress(SnapshotError):
            manifest = read_snapshot(workspace, name).manifest
            runs.append(_past_run(name, manifest, before, is_current=name == current))
            before = manifest
    return runs[::-1]


def _past_run(name: str, manifest: Mapping[str, Any], before: Mapping[str, Any] | None, *, is_current: bool) -> PastRun:
    """Return a version by what its manifest says."""
    ledger = manifest.get("ledger", {})
    sources = manifest.get("sources", {})
    main: Mapping[str, Any] = sources.get("order_lines") or next(iter(sources.values()), {})
    return PastRun(
        name,
        is_current,
        dt.datetime.fromisoformat(manifest["created_at"]),
        dt.date.fromisoformat(str(manifest["as_of"])[:10]),
        str(main.get("label", "")),
        str(manifest.get("level", "orders")),
        sum(int(entry["rows"]) for entry in ledger.values()),
        int(manifest["customers"]),
        float(manifest.get("revenue") or 0.0),
        str(manifest.get("currency", "")),
        float(sum(manifest.get("seconds", {}).values())),
        dict(manifest.get("models", {})),
        tuple(manifest.get("notices", ())),
        settings_changed(before.get("settings", {}), manifest.get("settings", {})) if before is not None else (),
    )


def settings_changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the settings that differ, in words.

    Examples
    --------
    >>> settings_changed({"segments": {"k": 0}}, {"segments": {"k": 6}})
    ('[segments] k: 0 → 6',)
    """
    changes = []
    for section in sorted({*before, *after}):
        old, new = before.get(section, {}), after.get(section, {})
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                changes.append(f"[{section}] {name}: {_shown(old.get(name))} → {_shown(new.get(name))}")
    return tuple(changes)


def _shown(value: Any) -> str:
    """Return a setting as it is written."""
    if value is None or value == "" or value == []:
        return "not set"
    return str(value).lower() if isinstance(value, bool) else str(value)
