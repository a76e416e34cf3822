"""Why the champion is what it is, in plain words.

Comes in: what was chosen and the figures of the choice. Goes out: sentences. Nothing here decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from customer_genome.models.candidates.choice import BLEND, CLEARLY, Chosen, Compared
from customer_genome.models.candidates.stacking import taught_share

_MANY = 0.9
"""From this part of an equal say on it is called equal."""
_TARGETS = {"orders": "who orders", "spend": "what they spend"}


def words_of(chosen: Chosen, figures: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the reasons of a choice as sentences."""
    if not chosen.compared:
        why = (
            "no earlier forecast could be held against what came"
            if figures["learned_from"]
            else "no earlier cutoff has its whole horizon behind it yet"
        )
        return (f"The forecast is that of the purchase and spend models alone: {why}.",)
    said = [_weights(chosen)]
    replaced = chosen.replaced or {}
    for target in ("orders", "spend"):
        said.append(_target(target, replaced.get(target), [one for one in chosen.compared if one.target == target]))
    said.append(_level(figures["level_shift"]))
    said.append(_calibration(figures["calibration"]))
    if figures["tails"]:
        said.append(_tails(figures["tails"]))
    return tuple(said)


def _weights(chosen: Chosen) -> str:
    parts = [f"{_TARGETS[target]} {_shares(weights)}" for target, weights in (("orders", chosen.odds), ("spend", chosen.spend))]
    share = taught_share(chosen.n_taught)
    towards = "equal ones"
    if share < _MANY:
        towards = (
            f"the own forecast: models that learned from {chosen.n_taught:,} customers start with {share:.0%} of an equal say"
        )
    return (
        f"The champion forecasts {parts[0]}, and {parts[1]}; weights were fitted to {chosen.n_held_out:,} held-out forecasts of earlier "
        f"cutoffs and drawn towards {towards}."
    )


def _shares(weights: Mapping[str, float]) -> str:
    total = sum(weights.values()) or 1.0
    if len(weights) == 1:
        return f"by {next(iter(weights))}"
    ordered = sorted(weights.items(), key=lambda pair: (-pair[1], pair[0]))
    return "by a blend (" + ", ".join(f"{name} {weight / total:.0%}" for name, weight in ordered) + ")"


def _target(target: str, replaced: str | None, compared: list[Compared]) -> str:
    """Return how the choice stood against members alone and naive formulas."""
    naive = min((one for one in compared if one.is_naive), key=lambda one: one.loss, default=None)
    blend = next(one for one in compared if one.name == BLEND)
    what = "squared error of the chance" if target == "orders" else "deviance of spend"
    if replaced is not None:
        used = next(one for one in compared if one.name == replaced)
        return (
            f"To say {_TARGETS[target]}, the naive formula {replaced} was clearly better than every blend on held-out customers ({what} "
            f"{used.loss:.4f} against {blend.loss:.4f}, by more than {CLEARLY:.0f} standard errors), and is used."
        )
    alone = min((one for one in compared if not one.is_naive and one.name != BLEND), key=lambda one: one.loss, default=None)
    said = f"To say {_TARGETS[target]}, the blend had a {what} of {blend.loss:.4f} on held-out customers"
    said += f" (best alone: {alone.name}, {alone.loss:.4f})" if alone is not None else ""
    if naive is None:
        return said + "."
    standing = "is beaten clearly" if naive.difference > CLEARLY * naive.error else "is beaten, within the noise"
    if naive.difference <= 0:
        standing = f"was no worse, though not by {CLEARLY:.0f} standard errors: do not take the blend for better than it here"
    return f"{said}; the best naive formula, {naive.name} ({naive.loss:.4f}), {standing}."


def _level(shift: float) -> str:
    if abs(shift) < 0.01:
        return "Totals and the mean chance are those of the purchase and spend models, which know season and level."
    way = "fewer" if shift < 0 else "more"
    return (
        "Totals are those of the purchase and spend models, which know season and level; as at the last cutoff that has ended "
        f"{way} customers ordered than such totals mean, the odds to order are multiplied by {2.718281828459045**shift:.2f}."
    )


def _calibration(figures: Mapping[str, Any]) -> str:
    if figures["bend"]:
        return "Held-out customers asked for more than a straight line through the log-odds: an isotonic bend is used."
    return "A straight line through the log-odds (Platt) was as good for held-out customers as an isotonic bend, and is used."


def _tails(tails: Mapping[str, float]) -> str:
    return (
        f"Of the 80 % ranges, {tails['below_before']:.0%} of held-out customers spent less and {tails['above_before']:.0%} more; stretched by fifths "
        f"of predicted spend it was {tails['below']:.0%} and {tails['above']:.0%}."
    )
