"""The champion: which forecaster scores every customer of a run, chosen and calibrated by earlier forecasts.

Comes in: customers as known at a cutoff, and earlier cutoffs whose horizon has ended. Goes out: a `Champion`. Nothing at or after the cutoff
is seen.

The rules
---------
1. Members are the candidates that ship; those that cannot say what each fact contributes have a say in spend only. Weights fit
   held-out forecasts of earlier cutoffs (`held_out`), drawn towards equal ones, and towards the own forecast where few customers taught the others.
2. A naive formula that was clearly better than the blend, by more than two standard errors over customers, takes its place for this
   target, and that is said. (A single member that was better has nearly all of the weight already.)
3. The total of spend is that of the own forecast, which knows season and level. The mean chance is the own one too, moved by what the
   last held-out forecast was off by once its total was set right (`calibration.level_shift`).
4. A bend is put on the chance where held-out customers clearly ask for one; ranges are stretched until a tenth of them lay outside on
   either side, fifth by fifth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from customer_genome.errors import RegistryError
from customer_genome.models.calibration import Bend, choose_bend, intercept_for, level_shift
from customer_genome.models.candidates.blend import Blended
from customer_genome.models.candidates.choice import Chosen, choose
from customer_genome.models.candidates.contract import Candidate, Fitted, Known, Past
from customer_genome.models.candidates.forecaster import Champion as Champion
from customer_genome.models.candidates.held_out import HeldOut, held_out
from customer_genome.models.candidates.inputs import chance_of, log_odds
from customer_genome.models.candidates.learned import SEED
from customer_genome.models.candidates.listed import MEMBERS, NAIVE, OWN
from customer_genome.models.candidates.listed import SHIPPED as SHIPPED
from customer_genome.models.candidates.purchase_models import OwnForecast, OwnForm
from customer_genome.models.candidates.saying import words_of
from customer_genome.models.conformal import Stretch, based
from customer_genome.models.estimator import Array


def choose_champion(now: Known, past: Sequence[Past], *, candidates: Sequence[Candidate] = SHIPPED, seed: int = SEED) -> Champion:
    """Return the forecaster of the customers of `now`, learned from earlier cutoffs.

    Parameters
    ----------
    now : with `own` filled
    past : earlier cutoffs, oldest first, whose whole horizon ended at or before `now.as_of`, each with `known.own` filled; its range is asked
        of those that are held out (`Known.ranged`), and of no other
    candidates : who may be a member; the own forecast always is
    seed : kept for candidates that draw; those that ship are seeded by themselves

    Raises
    ------
    RegistryError
        Where the own forecast of `now` is missing.
    """
    own = now.own
    if own is None or own.spend is None or own.chance is None:
        raise RegistryError("Champion: the own forecast is missing. Wanted: Known(own=...) with spend, chance and range.")
    usable = [one for one in past if one.known.own is not None and len(one.ordered)]
    absent = [f"{one.name} is left out. {why}" for one in candidates if (why := one.unavailable())]
    candidates = [OwnForecast(), *(one for one in candidates if one.name != OWN and one.unavailable() is None)]
    fitted: dict[str, Fitted] = {OWN: OwnForm()}
    fitted |= {one.name: found for one in candidates if (found := one.fit(now, usable)) is not None}
    tried = held_out(usable, [one for one in candidates if one.name in fitted]) if len(fitted) > 1 else []
    formulas = held_out(usable, NAIVE) if tried else []
    explaining = [one.name for one in candidates if one.name in fitted and one.explains]
    n_taught = max((len(one.ordered) for one in usable), default=0)
    chosen = choose(tried, formulas, list(fitted), explaining, n_taught)
    for name in {*chosen.odds, *chosen.spend} - fitted.keys():
        formula = next(one for one in NAIVE if one.name == name).fit(now, usable)
        if formula is None:
            raise RegistryError(f"Champion: {name} has nothing to learn from at this cutoff.")
        fitted[name] = formula
    shift = _shift_of(usable[-1]) if usable else 0.0
    blended = _levelled(fitted, chosen, now)
    odds, spend = blended.forecast(now)
    intercept = intercept_for(odds, float(chance_of(log_odds(own.chance) + shift).mean()))
    rehearsed = [_rehearsed(one, chosen) for one in tried]
    bend, line_loss, bend_loss = _bend_of(rehearsed)
    stretch, tails = _stretch_of(rehearsed, float(spend.mean()))
    figures: dict[str, Any] = {
        "weights": {"orders": dict(chosen.odds), "spend": dict(chosen.spend)},
        "taught_by": n_taught,
        "learned_from": [one.known.as_of for one in usable],
        "held_out_from": [one.known.as_of for one in tried],
        "held_out_is_earlier": [one.is_earlier for one in tried],
        "compared": [one.as_json() for one in chosen.compared],
        "level_shift": shift,
        "calibration": {"bend": not bend.is_none, "line_log_loss": _defined(line_loss), "bend_log_loss": _defined(bend_loss)},
        "tails": tails,
    }
    return Champion(
        blended,
        intercept,
        bend,
        stretch,
        tuple(now.facts),
        (*words_of(chosen, figures), *absent),
        figures,
        _kept(rehearsed, bend, stretch, spend),
    )


def _shift_of(one: Past) -> float:
    """Return what the own chance of an earlier cutoff was off by, its total set right."""
    own = one.known.own
    if own is None or own.chance is None or own.spend is None:
        return 0.0
    return level_shift(log_odds(own.chance), one.ordered, own.spend, one.spend)


def _levelled(fitted: Mapping[str, Fitted], chosen: Chosen, now: Known) -> Blended:
    """Return the blend whose members each expect the total of the own forecast; a formula that replaces it keeps its own."""
    own = now.own
    assert own is not None and own.spend is not None  # asked for above
    total = float(own.spend.sum())
    members = {name: one for name, one in fitted.items() if name == OWN or name in chosen.odds or name in chosen.spend}
    factors: dict[str, float] = {}
    for name, weight in chosen.spend.items():
        spend = members[name].forecast(now).spend
        said = float(spend.sum()) if spend is not None else 0.0
        factors[name] = weight * (total / said if said > 0 and not chosen.keeps_level else 1.0)
    return Blended(members, chosen.odds, factors)


class _Rehearsed:
    """What the champion would have said at an earlier cutoff: held-out members, weights of today, level of that day."""

    def __init__(self, held: HeldOut, chosen: Chosen) -> None:
        own = held.known.ranged().own
        assert own is not None and own.spend is not None and own.chance is not None
        assert own.lower is not None and own.upper is not None
        self.held = held
        self.odds, self.spend = blended_said(held, chosen)
        shift = _shift_of(held.before) if held.before is not None else 0.0
        self.odds = self.odds + intercept_for(self.odds, float(chance_of(log_odds(own.chance) + shift).mean()))
        self.lower, self.upper = based(self.spend, own.spend, own.lower, own.upper)


def _rehearsed(held: HeldOut, chosen: Chosen) -> _Rehearsed:
    return _Rehearsed(held, chosen)


def blended_said(held: HeldOut, chosen: Chosen) -> tuple[Array, Array]:
    """Return blended log-odds, on no level yet, and blended money on the level of the own forecast."""
    own = held.known.own
    assert own is not None and own.spend is not None
    odds, spend = np.zeros(len(held.ordered)), np.zeros(len(held.ordered))
    for name, weight in chosen.odds.items():
        chance = held.said[name].chance if name in held.said else own.chance
        odds += weight * log_odds(chance) if chance is not None else 0.0
    for name, weight in chosen.spend.items():
        money = held.said[name].spend if name in held.said else own.spend
        if money is not None and money.sum() > 0:
            spend += weight * money * (1.0 if chosen.keeps_level else own.spend.sum() / money.sum())
    return odds, spend


def _bend_of(rehearsed: Sequence[_Rehearsed]) -> tuple[Bend, float, float]:
    """Return the bend of the latest held-out forecast, its mean chance set right, and the log losses of line and bend."""
    if not rehearsed:
        return Bend.none(), float("nan"), float("nan")
    last = rehearsed[-1]
    ordered = last.held.ordered
    return choose_bend(last.odds + intercept_for(last.odds, float(ordered.mean())), ordered)


def _stretch_of(rehearsed: Sequence[_Rehearsed], mean_now: float) -> tuple[Stretch, dict[str, float]]:
    """Return what ranges are stretched by, and the shares of held-out customers below and above them before and after."""
    if not rehearsed:
        return Stretch(), {}
    spend, lower, upper = (np.concatenate([getattr(one, name) for one in rehearsed]) for name in ("spend", "lower", "upper"))
    came = np.concatenate([one.held.spend for one in rehearsed])
    stretch = Stretch.of(spend, lower, upper, came, mean_now)
    low, high = Stretch.of(spend, lower, upper, came, float(spend.mean()))(spend, lower, upper)
    tails = {
        "below_before": float(np.mean(came < lower)),
        "above_before": float(np.mean(came > upper)),
        "below": float(np.mean(came < low)),
        "above": float(np.mean(came > high)),
    }
    return stretch, tails


def _kept(rehearsed: Sequence[_Rehearsed], bend: Bend, stretch: Stretch, spend_now: Array) -> dict[str, Array]:
    """Return the rehearsed forecasts with what came."""
    if not rehearsed:
        return {}
    columns: dict[str, list[Array]] = {}
    for one in rehearsed:
        facts, mean = one.held.known.facts, float(one.spend.mean())
        scale = float(spend_now.mean()) / mean if mean > 0 else 1.0  # fifths are told relative to everybody's mean
        lower, upper = stretch(one.spend * scale, one.lower * scale, one.upper * scale)
        for name, values in {
            "chance": chance_of(bend(one.odds)),
            "spend": one.spend,
            "lower": np.minimum(lower / max(scale, 1e-300), one.spend),
            "upper": np.maximum(upper / max(scale, 1e-300), one.spend),
            "spend_true": one.held.spend,
            "ordered": one.held.ordered,
            "n_purchase_days": facts["n_purchase_days"],
            "tenure_days": facts["tenure_days"],
        }.items():
            columns.setdefault(name, []).append(values)
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _defined(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


class ChampionForecast(Candidate):
    """What a run publishes: the champion chosen at the cutoff from what was known then."""

    name, kind, form = "champion", "model", Champion
    about = "what a run publishes: the forecaster chosen, blended and calibrated at each cutoff by earlier forecasts"

    def fit(self, now: Known, past: Sequence[Past]) -> Fitted | None:
        """Return the champion, None where the own forecast is not known."""
        return None if now.own is None else choose_champion(now, past)


CANDIDATES: tuple[Candidate, ...] = (ChampionForecast(), *MEMBERS)
CHAMPION = ChampionForecast.name
