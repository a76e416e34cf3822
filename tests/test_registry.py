"""Model versions: which one scores, which ones belong together, and the way back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from customer_genome.errors import RegistryError
from customer_genome.registry import (
    aliases,
    card_of,
    kinds,
    load_model,
    make_champion,
    promote,
    prune_models,
    rollback,
    save_model,
    stored_versions,
)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Two kinds, fitted together three times; the third is the champion."""
    for run in (1, 2, 3):
        for kind in ("purchases", "spend"):
            version = save_model(tmp_path, kind, {"r": np.array([float(run)])}, {"fitted_at": f"run {run}", "features": ["x"]})
            make_champion(tmp_path, kind, version)
    return tmp_path


def champions(models: Path) -> dict[str, str]:
    return {kind: aliases(models, kind)["champion"] for kind in kinds(models)}


def test_promoting_takes_along_what_was_fitted_with_it(models: Path) -> None:
    assert promote(models, "spend", "v00001") == {"spend": "v00001", "purchases": "v00001"}
    assert champions(models) == {"purchases": "v00001", "spend": "v00001"}
    assert load_model(models, "purchases").arrays["r"] == 1.0


def test_promoting_alone_leaves_the_others(models: Path) -> None:
    assert promote(models, "spend", "v00001", alone=True) == {"spend": "v00001"}
    assert champions(models) == {"purchases": "v00003", "spend": "v00001"}


def test_rollback_goes_back_to_the_champion_before_and_back_again(models: Path) -> None:
    assert rollback(models, "purchases") == {"purchases": "v00002", "spend": "v00002"}
    assert rollback(models, "purchases") == {"purchases": "v00003", "spend": "v00003"}


def test_a_first_champion_has_nothing_to_go_back_to(tmp_path: Path) -> None:
    make_champion(tmp_path, "spend", save_model(tmp_path, "spend", {"p": np.array([6.0])}, {}))
    with pytest.raises(RegistryError, match=r"one champion only \(v00001\).*genome models promote spend"):
        rollback(tmp_path, "spend")


def test_naming_the_champion_again_keeps_the_one_before(models: Path) -> None:
    promote(models, "spend", "champion")
    assert aliases(models, "spend") == {"champion": "v00003", "previous": "v00002"}


def test_a_damaged_companion_changes_no_alias(models: Path) -> None:
    (models / "purchases" / "v00001" / "arrays.npz").write_bytes(b"not an archive")
    before = champions(models)
    with pytest.raises(RegistryError, match="checksum"):
        promote(models, "spend", "v00001")
    assert champions(models) == before


def test_pruning_keeps_the_way_back(models: Path) -> None:
    promote(models, "spend", "v00001", alone=True)
    prune_models(models, "spend", 1)
    assert stored_versions(models, "spend") == ("v00001", "v00003")
    prune_models(models, "purchases", 1)
    assert stored_versions(models, "purchases") == ("v00002", "v00003")


@pytest.mark.parametrize(
    ("kind", "version", "message"),
    [
        ("purchase", "champion", 'Did you mean "purchases"'),
        ("purchases", "v00009", "Stored: v00001, v00002, v00003"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(models: Path, kind: str, version: str, message: str) -> None:
    with pytest.raises(RegistryError, match=message):
        card_of(models, kind, version)
    with pytest.raises(RegistryError, match=message):
        promote(models, kind, version)


def test_an_empty_folder_holds_no_kinds(tmp_path: Path) -> None:
    assert kinds(tmp_path / "models") == ()
    with pytest.raises(RegistryError, match="fit some with `genome run`"):
        card_of(tmp_path / "models", "purchases")
