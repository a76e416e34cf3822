"""What each word and mark of the pages means, and which page answers which question, for the page About.

Comes in: a visit, for its horizon, cutoff, discount and margin. Goes out: words and Markdown. Definitions are those of docs/definitions.md;
nothing here computes a figure.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from customer_genome.interfaces.dashboard.session import Visit
from customer_genome.interfaces.views.figures import day

QUESTIONS: Sequence[tuple[str, str, str]] = (
    ("What happened, who matters, and what should I do next?", "Overview", "overview.py"),
    ("Who exactly, and what about this one customer?", "Customers", "customers.py"),
    ("Which kinds of customers do I have, and how do they differ?", "Segments", "segments.py"),
    ("What would the model say of somebody like this?", "Predict", "predict.py"),
    ("Where is money at stake, and whom do I contact for how much?", "Value at risk", "targets.py"),
    ("What do I offer them?", "Recommendations", "recommendations.py"),
    ("What will all customers bring, and did that hold before?", "Value", "value.py"),
    ("How good is this on my own data, and where is it wrong?", "Model quality", "quality.py"),
    ("What changed since the last time?", "Changes", "changes.py"),
    ("Where did my rows go, and how do I hand in new ones?", "Data", "data.py"),
)
"""Question, what the page is called, and its file."""

Words = Sequence[tuple[str, str]]


def facts(seen: Visit) -> Words:
    """Return what is counted."""
    as_of = day(dt.date.fromisoformat(seen.manifest["as_of"]))
    return (
        ("Order", "One customer and one order id, placed at its earliest line; without order ids, one customer and one time."),
        ("As of", f"The cutoff, {as_of}. Nothing on or after that day is known here; recency is counted back from it."),
        ("Purchase day", "A day with at least one order of a customer. Purchase models count these days, not orders."),
        ("Revenue, spend", "Money of the lines that count: class “kept” of the row ledger, in the currency of the shop."),
        (
            "Duplicate",
            "A line equal to an earlier one of the same customer and order in every column that was mapped. Looked for only where order id and "
            "product are known.",
        ),
        ("Active customer", "One with at least one order in the month, week or day shown; counted once in it."),
        ("Country", "The country a customer spends most in. All their spend counts there."),
        (
            "Period",
            "The side bar's period changes charts over time only. What a customer has spent, their segment, value and risk stay as of the cutoff.",
        ),
    )


def expectations(seen: Visit) -> Words:
    """Return what is expected, with this version's horizon, discount and margin."""
    horizon = seen.horizon_days
    prediction = seen.manifest.get("settings", {}).get("prediction", {})
    discount, margin = float(prediction.get("annual_discount", 0.1)), float(prediction.get("margin", 1.0))
    return (
        (
            f"Risk (no order in {horizon} days)",
            f"The probability that a customer places no order in the {horizon} days from the cutoff. ● Low, ◆ Medium and ▲ High "
            "are fixed bands of it, the same in every shop and month unless you set your own.",
        ),
        (
            "Value over 180 days (CLV)",
            f"Revenue expected of a customer in the next 180 days, discounted by {100 * discount:g} % a year, times a margin of "
            f"{margin:g}. ★ High is the fifth with the most, ☆ Medium the next 30 %, · Low the rest, unless you set your own edges.",
        ),
        (
            "Range in brackets",
            "Holds what really happens with a probability of 80 %, if the models hold: below it one in ten, above it one in ten. With few "
            "orders it often starts at 0, since no order may come.",
        ),
        (
            "Value at risk",
            "Value times risk. It says where retention work pays first. It is not lost revenue: the value already counts the "
            "chance that a customer buys nothing more.",
        ),
        ("Expected revenue", f"Spend expected in the next {horizon} days, neither discounted nor reduced to a margin."),
        ("Next order by", "The day by which an order is as likely as not; empty where that point is never reached."),
    )


GROUPS: Words = (
    (
        "Segments",
        "Groups of customers who behave alike, named by what they do, never by a cluster's number. The side bar switches to other groupings.",
    ),
    (
        "RFM",
        "Recency, frequency and money, each scored 1 to 5 by fifths of the customers. Equal values share a score.",
    ),
    (
        "Playbook",
        "What to do with one kind of customer, given by rules you can read and change in playbooks.toml; the first that fits counts.",
    ),
    ("Similar customers", "Those whose behaviour points the same way (cosine of scaled facts), whatever their size."),
)

CERTAINTY: Words = (
    ("Facts", "Revenue, orders and days are counted, not estimated."),
    ("Confidence", "1 minus the risk: how likely the customer orders again. It is no measure of how well the models fit."),
    (
        "Reliability",
        "High, Medium or Low: how much of the error of expecting everybody's mean is left for customers like this one, measured on outcomes "
        "that were held back. Empty where too little could be held back.",
    ),
    (
        "One customer, all customers",
        "Sums are firmer than single customers, and the order of customers is surer than the size of a figure.",
    ),
    (
        "What models do not know",
        "Campaigns, prices and changes of assortment. A season only where the fit says so. Reasons and what-if are associations, "
        "not promises: whether a campaign works, a control group tells.",
    ),
)

NUMBERS: Words = (
    (
        "Numbers and money",
        "1,234.5 everywhere: a comma parts thousands, a point the decimals, so that screens, charts and files agree whatever a browser is "
        "set to. Money is in the shop's currency as it came, and k and M shorten it. Expected money is never written finer than it is known.",
    ),
    ("Days", "9 Dec 2011 on screens, 2011-12-09 in files, in the time zone of the shop's settings."),
    (
        "Marks",
        "A shape or word always says the same as a colour. A dashed bar or hollow point is a month or week of which the data hold a part only.",
    ),
)
