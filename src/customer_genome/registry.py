"""Model versions on disk: parameters as plain arrays, a card that says what they are, aliases that point at one.

    models/lifetime_value/v00003/arrays.npz   numbers only; loaded with pickling refused
    models/lifetime_value/v00003/card.json    data window, features in order, fit report, library versions, checksum
    models/lifetime_value/aliases.json        {"champion": "v00003", "previous": "v00002"}

Models of several kinds that were fitted together carry the same `fitted_at` in their cards and are promoted together. This
module knows nothing of any model: it stores the arrays and the card that it is given.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

import numpy as np

from customer_genome.errors import RegistryError, did_you_mean
from customer_genome.workspace import sha256_of, sync_folder, write_atomically

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "lightgbm")


@dataclass(frozen=True)
class StoredModel:
    """One version of one model."""

    kind: str
    version: str
    arrays: Mapping[str, np.ndarray]
    card: Mapping[str, Any]


def save_model(models: Path, kind: str, arrays: Mapping[str, np.ndarray], card: Mapping[str, Any]) -> str:
    """Store a model as a new version and return its name."""
    root = models / kind
    root.mkdir(parents=True, exist_ok=True)
    taken = [int(path.name[1:6]) for path in root.iterdir() if path.name[1:6].isdigit()]
    version = f"v{max(taken, default=0) + 1:05d}"
    temporary = root / f"{version}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    plain: dict[str, Any] = {name: np.asarray(values) for name, values in arrays.items()}
    np.savez(temporary / "arrays.npz", allow_pickle=False, **plain)
    libraries = {name: installed_version(name) for name in _LIBRARIES} | {"python": platform.python_version()}
    full_card = {"kind": kind, "version": version, **card, "libraries": libraries, "sha256": sha256_of(temporary / "arrays.npz")}
    write_atomically(temporary / "card.json", json.dumps(full_card, indent=1, default=str) + "\n")
    os.rename(temporary, root / version)
    sync_folder(root)
    return version


def installed_version(library: str) -> str:
    """Return the version of a library as it is installed here, empty where it is not."""
    try:
        return library_version(library)
    except PackageNotFoundError:
        return ""


def load_model(models: Path, kind: str, version_or_alias: str = "champion") -> StoredModel:
    """Return a stored model by version or alias.

    Raises
    ------
    RegistryError
        When it is missing, its arrays differ from the card's checksum, or they hold anything but numbers and text.
    """
    version = aliases(models, kind).get(version_or_alias, version_or_alias)
    folder = models / kind / version
    try:
        card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
        if sha256_of(folder / "arrays.npz") != card["sha256"]:
            raise RegistryError(
                f"{folder}/arrays.npz is not the file that was stored (its checksum differs). Fit again with `genome run`."
            )
        with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (OSError, ValueError, KeyError) as err:
        raise RegistryError(
            f"No usable model {kind} {version_or_alias!r} in {models}: {err}. Fit one with `genome run`."
        ) from err
    return StoredModel(kind, version, arrays, card)


def aliases(models: Path, kind: str) -> dict[str, str]:
    """Return which version each alias names."""
    path = models / kind / "aliases.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _write_aliases(models: Path, kind: str, named: Mapping[str, str]) -> None:
    write_atomically(models / kind / "aliases.json", json.dumps(dict(named), indent=1) + "\n")


def promote(models: Path, kind: str, version: str, *, alone: bool = False) -> dict[str, str]:
    """Make a version the champion, with those of other kinds that were fitted with it; return the new champions by kind.

    Who was champion is kept under the alias `previous`, so that `rollback` finds the way back.

    Parameters
    ----------
    alone : bool
        Leave the other kinds as they are.

    Raises
    ------
    RegistryError
        When the version, or one that belongs to it, is missing or damaged; no alias has changed then.
    """
    chosen = {kind: str(card_of(models, kind, version)["version"])}
    if not alone:
        chosen |= _fitted_with(models, kind, chosen[kind])
    for other, its_version in chosen.items():
        load_model(models, other, its_version)
    for other, its_version in chosen.items():
        make_champion(models, other, its_version)
    return chosen


def rollback(models: Path, kind: str, *, alone: bool = False) -> dict[str, str]:
    """Make the champion before the present one champion again; return the new champions by kind.

    Raises
    ------
    RegistryError
        When there was none before, or it is damaged.
    """
    now = card_of(models, kind)["version"]
    before = aliases(models, kind).get("previous")
    if before is None:
        raise RegistryError(
            f"{kind} has had one champion only ({now}), so there is none to go back to. "
            f"Name a version with `genome models promote {kind} VERSION`; `genome models list` shows what is stored."
        )
    return promote(models, kind, before, alone=alone)


def make_champion(models: Path, kind: str, version: str) -> None:
    """Point the alias `champion` at a version and `previous` at the champion before it."""
    named = aliases(models, kind)
    before = named.get("champion", version)
    fresh = {"champion": version} | ({"previous": before} if before != version else {})
    _write_aliases(models, kind, named | fresh)


def kinds(models: Path) -> tuple[str, ...]:
    """Return every kind of which a version is stored, in alphabetical order."""
    if not models.is_dir():
        return ()
    return tuple(sorted(path.name for path in models.iterdir() if path.is_dir() and stored_versions(models, path.name)))


def stored_versions(models: Path, kind: str) -> tuple[str, ...]:
    """Return the stored versions of a kind, oldest first."""
    folder = models / kind
    found = folder.iterdir() if folder.is_dir() else ()
    return tuple(sorted(path.name for path in found if path.is_dir() and path.name[1:].isdigit()))


def card_of(models: Path, kind: str, version_or_alias: str = "champion") -> dict[str, Any]:
    """Return the card of a version without opening its arrays.

    Raises
    ------
    RegistryError
        When there is no such kind or version, with near names.
    """
    if kind not in kinds(models):
        listed = ", ".join(kinds(models)) or "none; fit some with `genome run`"
        raise RegistryError(f"No models of kind {kind!r} in {models}.{did_you_mean(kind, kinds(models))} Stored kinds: {listed}.")
    version = aliases(models, kind).get(version_or_alias, version_or_alias)
    if version not in stored_versions(models, kind):
        listed = ", ".join(stored_versions(models, kind))
        raise RegistryError(f"No version {version_or_alias!r} of {kind} in {models}. Stored: {listed}.")
    path = models / kind / version / "card.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as err:
        raise RegistryError(f"{path} cannot be read: {err}. Fit again with `genome run`.") from err


def _fitted_with(models: Path, kind: str, version: str) -> dict[str, str]:
    """Return the versions of other kinds that were fitted with this one."""
    mark = card_of(models, kind, version).get("fitted_at")
    if mark is None:
        return {}
    return {
        other: candidate
        for other in kinds(models)
        for candidate in stored_versions(models, other)
        if other != kind and card_of(models, other, candidate).get("fitted_at") == mark
    }


def prune_models(models: Path, kind: str, keep_versions: int) -> None:
    """Remove versions older than the newest `keep_versions` that no alias names."""
    named = set(aliases(models, kind).values())
    for name in stored_versions(models, kind)[:-keep_versions]:
        if name not in named:
            shutil.rmtree(models / kind / name, ignore_errors=True)
