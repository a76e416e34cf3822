"""Customer Genome: from a shop's raw transactions to what its people do next.

    from customer_genome import Genome, run

    run("lines.csv", "workspace")
    with Genome.open("workspace") as genome:
        genome.customer("17850")

The names below are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from customer_genome.version import __version__

if TYPE_CHECKING:
    from customer_genome.genome import Genome
    from customer_genome.library import run
    from customer_genome.models.btyd.modified_beta_geometric import ModifiedBetaGeometricNBD
    from customer_genome.models.btyd.pareto import ParetoNBD
    from customer_genome.models.btyd.purchases import BetaGeometricNBD
    from customer_genome.models.btyd.spend import GammaGamma
    from customer_genome.sources.synthetic import simulate

__all__ = ["BetaGeometricNBD", "GammaGamma", "Genome", "ModifiedBetaGeometricNBD", "ParetoNBD", "__version__", "run", "simulate"]

_HOMES = {
    "BetaGeometricNBD": "models.btyd.purchases",
    "GammaGamma": "models.btyd.spend",
    "Genome": "genome",
    "ModifiedBetaGeometricNBD": "models.btyd.modified_beta_geometric",
    "ParetoNBD": "models.btyd.pareto",
    "run": "library",
    "simulate": "sources.synthetic",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module."""
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}. Public names: {', '.join(__all__)}.")
