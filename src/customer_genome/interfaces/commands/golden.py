"""The command `genome golden`: fits the models to the data the papers print results for, now, and shows both.

Comes in: where the CDNOW sample is. Goes out: fitted parameters on stdout, as one JSON object or as a table with the published
figures beside them. Nothing is stored, and no figure is copied from the published ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from customer_genome.interfaces.commands.options import JsonOption, print_json

if TYPE_CHECKING:
    from customer_genome.models import FitReport


@dataclass(frozen=True)
class Published:
    """What a source prints for the CDNOW sample, in weeks and dollars, as text to keep the printed digits."""

    title: str
    figures: Mapping[str, str]
    source: str


PUBLISHED: Mapping[str, Published] = {
    "bg_nbd": Published(
        "BG/NBD",
        {"r": "0.243", "alpha": "4.414", "a": "0.793", "b": "2.426", "log_likelihood": "-9582.4"},
        "Fader, Hardie & Lee (2005), Marketing Science 24(2), table 2",
    ),
    "mbg_nbd": Published(
        "MBG/NBD",
        {"r": "0.525", "alpha": "6.183", "a": "0.891", "b": "1.614"},
        "tests of the lifetimes package (ModifiedBetaGeoFitter on the CDNOW sample)",
    ),
    "pareto_nbd": Published(
        "Pareto/NBD",
        {"r": "0.553", "alpha": "10.578", "s": "0.606", "beta": "11.669", "log_likelihood": "-9595.0"},
        "Fader, Hardie & Lee (2005), Marketing Science 24(2), table 2",
    ),
    "gamma_gamma": Published(
        "Gamma-Gamma",
        {"p": "6.25", "q": "3.74", "gamma": "15.44"},
        "Fader & Hardie (2013), The Gamma-Gamma Model of Monetary Value",
    ),
}


def golden(
    path: Annotated[
        Path | None,
        typer.Argument(help="The file CDNOW_sample.txt, its archive or its folder; by default the folder named by GENOME_DATA."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fit the models to the CDNOW sample now, beside what the papers print."""
    from customer_genome.sources.cdnow_sample import read_cdnow_sample

    sample = read_cdnow_sample(path)
    weeks = (sample.frequency, sample.recency_days / 7, sample.age_days / 7)
    fitted: dict[str, Any] = {name: _figures(report, PUBLISHED[name]) for name, report in _fits(weeks, sample.mean_spend).items()}
    if as_json:
        print_json(fitted)
    else:
        _show(fitted, sample.path, len(sample.frequency))


def _fits(weeks: tuple[Any, Any, Any], mean_spend: Any) -> dict[str, FitReport]:
    """Return the report of every model fitted to the sample; the unit of time is the week."""
    from customer_genome.models import GammaGamma
    from customer_genome.models.btyd.purchase_model import purchase_model_class

    purchases = {name: purchase_model_class(PUBLISHED[name].title)() for name in PUBLISHED if name != "gamma_gamma"}
    return {name: model.fit(*weeks).report_ for name, model in purchases.items()} | {
        "gamma_gamma": GammaGamma().fit(weeks[0], mean_spend).report_,
    }


def _figures(report: FitReport, published: Published) -> dict[str, float]:
    """Return the parameters, and the log-likelihood where the promise of the command names one."""
    figures = {name: float(value) for name, value in report.parameters.items()}
    return figures if published.title == "Gamma-Gamma" else figures | {"log_likelihood": float(report.log_likelihood)}


def _show(fitted: Mapping[str, Mapping[str, float]], path: Path, n_customers: int) -> None:
    """Print the table for people."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False, soft_wrap=False)
    console.print(
        f"{path.name}: {n_customers:,} customers up to 30 September 1997, purchase days as events, in weeks and dollars"
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("model")
    table.add_column("figure")
    table.add_column("fitted now", justify="right")
    table.add_column("published", justify="right")
    for name, figures in fitted.items():
        published = PUBLISHED[name]
        for place, (figure, value) in enumerate(figures.items()):
            printed = published.figures.get(figure, "not printed")
            table.add_row("" if place else published.title, figure.replace("_", "-"), _rounded(value, printed), printed)
    console.print(table)
    for name in fitted:
        console.print(f"{PUBLISHED[name].title}: {PUBLISHED[name].source}")


def _rounded(value: float, printed: str) -> str:
    """Return a figure with two more digits than its source prints."""
    digits = len(printed.partition(".")[2]) if printed != "not printed" else 1
    return f"{value:,.{digits + 2}f}".replace(",", "")
