"""Charts that report and dashboard share: small Arrow tables in (`interfaces.views.overview` makes them), finished Altair charts out."""

from customer_genome.interfaces.charts.bars import (
    hidden_potential,
    order_counts,
    revenue_by_category,
    revenue_by_country,
    row_ledger,
    segment_risk,
    segment_sizes,
    segment_spend,
    segment_value,
)
from customer_genome.interfaces.charts.calendar import order_calendar
from customer_genome.interfaces.charts.curves import concentration
from customer_genome.interfaces.charts.heat import customers_by_band, recency_frequency, spend_value, value_at_risk
from customer_genome.interfaces.charts.look import NARROW, WIDE, Look, Mode, heading_of, theme, untitled
from customer_genome.interfaces.charts.moves import migration, value_reasons
from customer_genome.interfaces.charts.outlook import (
    alive_matrix,
    cohort_value,
    conditional_fit,
    frequency_fit,
    revenue_forecast,
    tracking_by_week,
    tracking_in_all,
)
from customer_genome.interfaces.charts.periods import customer_timeline, customers_over_time, revenue_over_time
from customer_genome.interfaces.charts.prospects import value_path

__all__ = [
    "NARROW",
    "WIDE",
    "Look",
    "Mode",
    "alive_matrix",
    "cohort_value",
    "concentration",
    "conditional_fit",
    "customer_timeline",
    "customers_by_band",
    "customers_over_time",
    "frequency_fit",
    "heading_of",
    "hidden_potential",
    "migration",
    "order_calendar",
    "order_counts",
    "recency_frequency",
    "revenue_by_category",
    "revenue_by_country",
    "revenue_forecast",
    "revenue_over_time",
    "row_ledger",
    "segment_risk",
    "segment_sizes",
    "segment_spend",
    "segment_value",
    "spend_value",
    "theme",
    "tracking_by_week",
    "tracking_in_all",
    "untitled",
    "value_at_risk",
    "value_path",
    "value_reasons",
]
