"""Facts about every customer as of the cutoff, proven against the orders they come from.

Comes in: a job whose marts stand. Goes out: `customer_facts`, and the categories that have a share column.
"""

from __future__ import annotations

from customer_genome.features.standing import keep_standing, keep_whole, recipe_of_lines, remember_line_facts
from customer_genome.features.table import build_features, category_key_of
from customer_genome.rules import read_category_rules
from customer_genome.stages.champions import build_known_facts
from customer_genome.stages.job import Job
from customer_genome.warehouse.checks import check_customer_facts, check_identities


def build_facts(job: Job) -> tuple[str, ...]:
    """Build and prove customer_facts; return the categories with a share column and note what is left out."""
    engine, settings, sources = job.engine, job.settings, job.sources
    lines = sources["order_lines"]
    key = category_key_of(sources)
    rules = read_category_rules(settings.features.categories) if key == "description" else ()
    recipe = recipe_of_lines(settings.cleaning.refunds, key, rules)
    categories = build_features(
        engine,
        rules,
        category_key=key,
        has_customers="customers" in sources,
        has_discounts="discount" in lines.mapping,
        most_categories=settings.features.most_categories,
        home_country=settings.shop.home_country,
        store=keep_standing(engine, recipe) if job.orders_stand else keep_whole(engine),
    )
    remember_line_facts(engine, recipe)
    build_known_facts(engine)
    if key is None:
        job.notices.append("Neither category nor description: shares per category are left out.")
    check_customer_facts(engine)
    check_identities(engine)
    return categories
