"""Facts about customers as of a cutoff: runs the SQL themes in order and joins them.

Comes in: the marts and the table `cutoffs`. Goes out: `customer_facts`, keyed (customer_id, as_of), with one share per
product category. No text here takes a parameter: a cutoff is a row of a table, so one text serves a run and a backtest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import pyarrow as pa

from customer_genome.contracts import SourceTable
from customer_genome.warehouse.build import keyword_text, sql_text
from customer_genome.warehouse.engine import Engine, literal, quoted

VIEWS = ("known_lines", "known_days")
THEMES = ("rfm", "cadence", "basket", "geography", "returns", "trend", "promotion")
LINE_THEMES = ("basket",)
OTHER = "Other"
CategoryRules = Sequence[tuple[str, Sequence[str]]]
CategoryKey = Literal["category", "product_id", "description"]


def build_features(
    engine: Engine,
    category_rules: CategoryRules,
    *,
    category_key: CategoryKey | None,
    has_customers: bool,
    has_discounts: bool,
    most_categories: int,
    home_country: str,
    store: Callable[[str, str], None] | None = None,
    alone: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Build `customer_facts` for every cutoff; return the names of the categories that have a share column.

    Parameters
    ----------
    category_rules : list of (category, keywords)
        In order of precedence; used where `category_key` is the description.
    category_key : "category", "product_id", "description" or None
        What a line's category is told from: its own category, the product table, keyword rules, or nothing.
    has_customers, has_discounts : bool
        Whether the data have a customer table (its further columns become `attribute_*` facts) and discounts.
    most_categories : int
        Categories with a column of their own, by revenue; the rest is added to Other.
    home_country : str
        Adds `is_home_country` where given.
    store : function of a name and a text, optional
        Stores a theme that is drawn from every line (features/standing.py); by default for the time of the run.
    alone : theme -> name, optional
        Themes to be stored under another name, so that one that is kept in the warehouse stays as it is.
    """
    alone = alone or {}
    store = store or engine.create_table
    engine.define("has_discounts", (), "true" if has_discounts else "false")
    for name in VIEWS:
        engine.create_view(name, feature_text(name))
    for name in ("known_orders", *THEMES):
        (store if name in LINE_THEMES else engine.create_table)(alone.get(name, name), feature_text(name))
    shares = _build_categories(engine, category_rules, category_key, most_categories, store) if category_key else ()
    columns = [f"{_share(name)} as {quoted(share_column(name))}" for name in shares]
    joins = ["left join category_wide as w on f.as_of = w.as_of and f.customer_id = w.customer_id"] if shares else []
    if home_country:
        columns.append(f"lower(f.primary_country) = {literal(home_country.lower())} as is_home_country")
    if has_customers:
        names = engine.fetch("select * from customers limit 0").column_names
        columns.extend(f"c.{quoted(name)}" for name in names if name != "customer_id")
        joins.append("left join customers as c on f.customer_id = c.customer_id")
    themes = feature_text("customer_facts")
    for theme, name in alone.items():
        themes = themes.replace(f"join {theme} as", f"join {name} as")
    facts = f"select {', '.join(['f.*', *columns])} from ({themes}) as f {' '.join(joins)}"
    engine.create_table("customer_facts", facts)
    return shares


def category_key_of(sources: Mapping[str, SourceTable]) -> CategoryKey | None:
    """Return what lines can be put into categories by: their own category, the product table, their description."""
    lines, products = sources["order_lines"], sources.get("products")
    if "category" in lines.mapping:
        return "category"
    if products is not None and "category" in products.mapping and "product_id" in lines.mapping:
        return "product_id"
    return "description" if "description" in lines.mapping else None


def share_column(category: str) -> str:
    """Return the column that holds the share of spend in a category.

    Examples
    --------
    >>> share_column("Home Decor")
    'category_share_home_decor'
    """
    return "category_share_" + "_".join("".join(letter if letter.isalnum() else " " for letter in category.lower()).split())


def feature_text(name: str) -> str:
    """Return the SQL text of a theme."""
    return sql_text("customer_genome.features", "sql", name)


def _share(category: str) -> str:
    """Return SQL for a customer's share in one category, 0 where they never bought from it."""
    return f"coalesce(w.{quoted(share_column(category))}, 0)"


def _build_categories(
    engine: Engine, rules: CategoryRules, key: CategoryKey, most: int, store: Callable[[str, str], None]
) -> tuple[str, ...]:
    """Build spend per customer and category, and one column per category."""
    if key == "category":
        own = "select as_of, customer_id, coalesce(category, 'Other') as category, revenue from known_lines"
        engine.create_view("categorised_lines", own)
    else:
        _categorise_keys(engine, rules, key)
        engine.create_view("categorised_lines", feature_text("categorised_lines"))
    store("customer_categories", feature_text("category"))
    names = (
        engine.fetch(
            "select category, sum(revenue) as revenue from customer_categories where as_of = (select max(as_of) from cutoffs) "
            "group by category order by revenue desc nulls last, category"
        )
        .column("category")
        .to_pylist()
    )
    spelled: dict[str, list[str]] = {}  # names that differ in case or signs only are one category
    for name in names:
        spelled.setdefault(share_column(name), []).append(name)
    kept = [column for column in spelled if column not in (share_column(OTHER), share_column(""))][:most]
    listed = {column: ", ".join(literal(name) for name in spelled[column]) for column in kept}
    sums = [f"sum(case when category in ({listed[column]}) then share else 0 end) as {quoted(column)}" for column in kept]
    named = ", ".join(listed.values())
    other = f"sum(case when category not in ({named}) then share else 0 end)" if kept else "sum(share)"
    sums.append(f"{other} as {quoted(share_column(OTHER))}")
    engine.create_table(
        "category_wide", f"select as_of, customer_id, {', '.join(sums)} from customer_categories group by as_of, customer_id"
    )
    return (*(spelled[column][0] for column in kept), OTHER)


def _categorise_keys(engine: Engine, rules: CategoryRules, key: CategoryKey) -> None:
    """Build the category of every product (by the product table) or description (by keyword rules)."""
    used = rules if key == "description" else ()
    flat = [(number, category, keyword_text(word)) for number, (category, words) in enumerate(used) for word in words]
    engine.write(
        "category_rules",
        pa.table(
            {
                "rule_number": pa.array([row[0] for row in flat], pa.int32()),
                "category": pa.array([row[1] for row in flat], pa.string()),
                "keyword": pa.array([row[2] for row in flat], pa.string()),
            }
        ),
    )
    engine.define("category_key", ("product_id", "description"), key)
    nothing = "select cast(null as string) as product_id, cast(null as string) as category where false"
    engine.create_view("product_categories", "select product_id, category from products" if key == "product_id" else nothing)
    engine.create_table("line_categories", feature_text("line_categories"))
