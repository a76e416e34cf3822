"""What customers did after each cutoff: the truth that a backtest holds predictions against.

Comes in: an engine that holds the marts, `cutoffs` and the facts. Goes out: the table `labels`, keyed (as_of, customer_id),
with n_orders, n_purchase_days and spend within the horizon, and whether the data cover it. No fact ever reads it.
"""

from __future__ import annotations

from customer_genome.features.table import feature_text
from customer_genome.warehouse.build import mart_text
from customer_genome.warehouse.engine import Engine

_NO_REFUNDS = "select cast(null as date) as ends_on, cast(null as bigint) as line_id, cast(null as decimal(18, 4)) as money, false as is_whole where false"
_REFUNDS = """
select as_of as ends_on, line_id, refunded_money as money, matched_quantity = quantity as is_whole
from horizon_matches
where is_return = 0 and matched_quantity > 0
"""


def build_labels(engine: Engine, *, nets_refunds: bool) -> None:
    """Build `labels` for every cutoff and every customer known at it.

    Parameters
    ----------
    nets_refunds : bool
        Whether goods that came back by the end of the horizon are taken off, as policy `net` does.
    """
    if nets_refunds:
        engine.create_view("horizon_ends", "select distinct as_of + horizon_days as as_of from cutoffs")
        at_the_end = mart_text("return_matches").replace("join cutoffs as c", "join horizon_ends as c")
        engine.create_table("horizon_matches", at_the_end)
    engine.create_view("label_refunds", _REFUNDS if nets_refunds else _NO_REFUNDS)
    engine.create_table("labels", feature_text("labels"))
