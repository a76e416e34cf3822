"""Words for a forecast explained and for what it would be otherwise, as terminal and dashboard say them.

Comes in: outcomes of `what_if`. Goes out: short sentences. A scenario says what goes with a risk in customers like this one, never what
would come of making them order; every sentence here is to be shown with `ASSOCIATION`.
"""

from __future__ import annotations

from customer_genome.answers.what_if import Outcome, Scenario
from customer_genome.interfaces.views.figures import quantity, share

ASSOCIATION = (
    "This is what goes with such orders in customers like this one. It is no effect: whether a campaign that brings an order lowers the "
    "risk as much, only a test with a control group can tell."
)


def scenario_words(scenario: Scenario) -> str:
    """Return a scenario in words.

    Examples
    --------
    >>> scenario_words(Scenario(orders=1)), scenario_words(Scenario(orders=2, quiet_days=30)), scenario_words(Scenario())
    ('one more order, on the last known day', '2 more orders in the last weeks, then 30 days of silence', 'as it is')
    """
    parts = []
    if scenario.orders == 1:
        parts.append("one more order, on the last known day")
    elif scenario.orders:
        parts.append(f"{scenario.orders} more orders in the last weeks")
    if scenario.quiet_days:
        more = "" if scenario.orders else " more"
        parts.append(f"{quantity(scenario.quiet_days, 'days').replace(' day', f'{more} day', 1)} of silence")
    return ", then ".join(parts) or "as it is"


def outcome_words(outcome: Outcome, risk_now: float) -> str:
    """Return a scenario with its risk beside that of today.

    Parameters
    ----------
    risk_now : 0..1, published
    """
    moves = "fall" if outcome.risk < risk_now else "rise"
    same = share(outcome.risk) == share(risk_now)
    what = scenario_words(outcome.scenario)
    return f"{what[:1].upper() + what[1:]}: the risk would {'stay at' if same else f'{moves} to'} {share(outcome.risk)}"
