"""What a comparison of a labelled table says, in plain sentences made of its figures.

Comes in: plain figures. Goes out: sentences. Nothing is said that the figures do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from customer_genome.models.profiles.columns import Column
from customer_genome.models.profiles.comparing import CHOICE, CLEAR, Compared
from customer_genome.models.profiles.explaining import Mixture
from customer_genome.models.profiles.leaks import Alarm
from customer_genome.models.profiles.learners import Linear
from customer_genome.models.profiles.naive import ByColumn, SameAs


def left_out_words(left_out: Mapping[str, str]) -> list[str]:
    """Return a sentence for every reason that columns are left out for."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        by_reason.setdefault(reason, []).append(name)
    return [f"Left out: {', '.join(names)}: {reason}." for reason, names in by_reason.items()]


def alarm_words(
    label: str, found: Sequence[Alarm], doubts: Sequence[Alarm], columns: Sequence[Column], kept: Sequence[Column]
) -> list[str]:
    """Return the alarms, and what was done about them; doubts took no column out."""
    said = [
        f"ALARM: {alarm.sentence(label)} No column was left out for it: make sure they are known before {label} is."
        for alarm in doubts
    ]
    if not found:
        return said
    gone = [column.name for column in columns if column not in kept]
    return [
        *said,
        *(f"ALARM: {alarm.sentence(label)}" for alarm in found),
        f"A real prediction is never that good: either {label} was computed from these columns, or they were written after the fact. The model below is "
        f"learned without {' and '.join(gone)}. If it is known before {label} is, keep it with --keep {gone[0]!r}.",
    ]


def choice_words(label: str, compared: Compared, rows: Sequence[Mapping[str, Any]], with_alarms: Mapping[str, Any]) -> list[str]:
    """Return what was chosen and why, how good it is, and what the columns left out would have given."""
    by_name = {row["candidate"]: row for row in rows}
    choice, is_churn = compared.choice, compared.task == "churn"
    formula = f"{choice.naive} ({_formula(compared, choice.naive)})" if choice.naive == choice.name else choice.naive
    measure = "log loss" if is_churn else "mean squared error"
    said = []
    if choice.rejected:
        said.append(
            f"{label}: a model adds nothing here. The best of them ({choice.rejected}) has {figure(by_name[choice.rejected], _lead(compared))}, the formula "
            f"{formula} has {figure(by_name[choice.naive], _lead(compared))}; the gain in {measure} is {choice.gain:.3g} ± {choice.gain_error:.2g}, and "
            f"{CLEAR:.0f} standard errors would be needed. The formula is used."
        )
    else:
        said.append(
            f"{label}: {choice.name} is used, with the smallest {measure} of customers it had not learned from: {figure(by_name[choice.name], _lead(compared))}; the best "
            f"formula ({choice.naive}) has {figure(by_name[choice.naive], _lead(compared))}. The gain in {measure} is {choice.gain:.3g} ± {choice.gain_error:.2g}."
        )
    said.append(
        f"{label}: choosing anew inside each training part gives {figure(by_name[CHOICE], _lead(compared))} for customers held back, which is the honest "
        "figure of the whole procedure."
    )
    said += _how(label, compared)
    if with_alarms:
        with_it = next(row for row in with_alarms["rows"] if row["is_chosen"])
        without_it = by_name[choice.name]
        said.append(
            f"{label}: with the columns of the alarm {with_it['candidate']} would have {figure(with_it, _lead(compared))}; without them "
            f"{choice.name} has {figure(without_it, _lead(compared))}."
        )
    return said


def components_words(label: str, explained: Sequence[float]) -> str:
    """Return how much of the columns' variance the first components hold.

    Examples
    --------
    >>> components_words("Churn", [0.4, 0.2])
    'Churn: the first 2 principal components hold 60 % of the variance of all columns (40, 20 %).'
    """
    each = ", ".join(f"{100 * share:.0f}" for share in explained)
    return f"{label}: the first {len(explained)} principal components hold {100 * sum(explained):.0f} % of the variance of all columns ({each} %)."


def _lead(compared: Compared) -> tuple[str, ...]:
    return ("auc", "ece") if compared.task == "churn" else ("r2", "mae", "rmse")


def figure(row: Mapping[str, Any], names: Sequence[str]) -> str:
    """Return figures of a row with their standard errors."""
    titles = {"auc": "ROC-AUC", "ece": "ECE", "r2": "R2", "mae": "MAE", "rmse": "RMSE"}
    parts = []
    for name in names:
        value, error = row["figures"].get(name), row["errors"].get(name)
        if value is not None:
            digits = 3 if name in ("auc", "ece", "r2") else 2
            parts.append(f"{titles[name]} {value:,.{digits}f}" + (f" ± {error:,.{digits}f}" if error is not None else ""))
    return ", ".join(parts)


def _formula(compared: Compared, name: str) -> str:
    """Return which column a formula takes."""
    fitted = compared.fitted
    if name == compared.choice.name and isinstance(fitted, (SameAs, ByColumn)):
        return f"{compared.encoder.parts[fitted.place].name}{' as it stands' if isinstance(fitted, SameAs) else ''}"
    return "the same for everybody"


def _how(label: str, compared: Compared) -> list[str]:
    """Return settings and calibration that were found."""
    said = []
    for name, options in compared.options.items():
        if options:
            said.append(f"{label}: {name} uses {', '.join(f'{key} {value}' for key, value in options.items())}.")
    if isinstance(compared.fitted, Mixture):
        shares = ", ".join(
            f"{weight:.2f} × {name}" for weight, name in zip(compared.fitted.weights, compared.fitted.names, strict=True)
        )
        said.append(f"{label}: the blend adds up {shares}.")
    if compared.task == "churn" and not compared.choice.rejected:
        kind = "Platt's line" if compared.calibration.kind == "Platt" else "isotonic steps"
        said.append(f"{label}: chances are calibrated by {kind}, chosen and fitted on customers held back.")
    if isinstance(compared.fitted, Linear) and compared.task == "spend":
        said.append(f"{label}: reasons are the terms of the sum.")
    return said
