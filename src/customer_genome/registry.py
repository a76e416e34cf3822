"""Model versions on disk: parameters as plain arrays, a card that says what they are, aliases that point at one.

    models/lifetime_value/v00003/arrays.npz   numbers only; loaded with pickling refused
    models/lifetime_value/v00003/card.json    data window, features in order, fit report, library versions, checksum
    models/lifetime_value/aliases.json        {"champion": "v00003"}

This module knows nothing of any model: it stores the arrays and the card that it is given.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any

import numpy as np

from customer_genome.errors import RegistryError
from customer_genome.workspace import sha256_of, sync_folder, write_atomically

_LIBRARIES = ("numpy", "scipy", "scikit-learn")


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
    libraries = {name: library_version(name) for name in _LIBRARIES} | {"python": platform.python_version()}
    full_card = {"kind": kind, "version": version, **card, "libraries": libraries, "sha256": sha256_of(temporary / "arrays.npz")}
    write_atomically(temporary / "card.json", json.dumps(full_card, indent=1, default=str) + "\n")
    os.rename(temporary, root / version)
    sync_folder(root)
    return version


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


def set_alias(models: Path, kind: str, alias: str, version: str) -> None:
    """Point an alias at a version."""
    write_atomically(models / kind / "aliases.json", json.dumps(aliases(models, kind) | {alias: version}, indent=1) + "\n")


def prune_models(models: Path, kind: str, keep_versions: int) -> None:
    """Remove versions older than the newest `keep_versions` that no alias names."""
    named = set(aliases(models, kind).values())
    found = sorted(path.name for path in (models / kind).iterdir() if path.is_dir() and path.name[1:].isdigit())
    for name in found[:-keep_versions]:
        if name not in named:
            shutil.rmtree(models / kind / name, ignore_errors=True)
