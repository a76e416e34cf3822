"""The first stage: every input row is read, classed and kept, and what is told of the sources is collected.

Comes in: a job with described sources. Goes out: order lines and side tables in the engine, and what was read.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from customer_genome.contracts import SourceTable
from customer_genome.errors import ContractError, SettingsError, SourceError
from customer_genome.rules import read_not_merchandise
from customer_genome.settings import Settings
from customer_genome.stages.deliveries import Delivery, marks_of, remember_run
from customer_genome.stages.job import Job
from customer_genome.warehouse.build import NotMerchandise, stage_lines, stage_side_table
from customer_genome.warehouse.checks import classes_in_words, refuse_rows, rows_by_class
from customer_genome.warehouse.engine import Engine


def stage_sources(job: Job, today: dt.date) -> Delivery:
    """Stage order lines and side tables, and remember what was loaded; return what was read.

    Raises
    ------
    GenomeError
        There are no order lines, none is usable, or bad ones are to stop the run.
    """
    engine, settings, sources = job.engine, job.settings, job.sources
    if "order_lines" not in sources:
        raise SourceError(
            "No order lines to read. Give a file to `genome run FILE`, or set [tables.order_lines] path in genome.toml."
        )
    lines = sources["order_lines"]
    marks = marks_of(lines)
    salt, digests = job.workspace.forgotten()
    rules = NotMerchandise(*read_not_merchandise(settings.cleaning.not_merchandise))
    stage_lines(engine, lines, settings.cleaning, settings.shop, today=today, not_merchandise=rules, salt=salt, forgotten=digests)
    refuse_bad_rows(engine, settings, lines)
    stage_side_tables(job)
    job.notices.extend(torn_lines(engine))
    return remember_run(engine, settings, sources, marks)


def stage_side_tables(job: Job, main: str = "order_lines") -> None:
    """Stage every table beside the main one, and take over what the sources have to say."""
    engine, sources = job.engine, job.sources
    for name, source in sources.items():
        job.notices.extend(source.notices)
        if name != main:
            stage_side_table(engine, source, job.settings.shop.timezone)
    name_suppressed(engine, sources)


def name_suppressed(engine: Engine, sources: Mapping[str, SourceTable]) -> None:
    """Make the view `suppressed`: the customers who must not be contacted, nobody where no table says so."""
    nobody = "select cast(null as string) as customer_id where false"
    engine.create_view("suppressed", "select customer_id from suppressions" if "suppressions" in sources else nobody)


def refuse_bad_rows(engine: Engine, settings: Settings, lines: SourceTable) -> None:
    """Stop where nothing is usable, or where the user wants bad rows to stop the run."""
    counts = rows_by_class(engine, "numbered_lines")
    listed = classes_in_words(counts)
    if not any(row["row_class"] == "kept" for row in counts):
        raise ContractError(
            f"{lines.label}: none of its rows is a usable purchase. Found: {listed or 'no rows'}. Wanted: rows with customer, time and money above 0. "
            f"Check the columns under [tables.order_lines] in genome.toml; now mapped: {_mapping_text(lines)}."
            + (_cancelled_words(settings, lines) if any(row["row_class"] == "cancelled" for row in counts) else "")
        )
    if settings.cleaning.on_bad_rows == "reject":
        refuse_rows(lines.label, bad_classes(counts), listed)


def bad_classes(counts: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the counts of those classes of order lines that are faults of the data, not choices of the shop."""
    return [row for row in counts if row["row_class"].startswith("bad_") or row["row_class"] == "no_customer"]


def _cancelled_words(settings: Settings, lines: SourceTable) -> str:
    """Return by which rules a line counts as cancelled."""
    cleaning = settings.cleaning
    by_status = (
        f", its status is one of {', '.join(cleaning.cancelled_statuses)} (cancelled_statuses)"
        if "status" in lines.mapping
        else ""
    )
    return (
        f" A line counts as cancelled where its order id matches cancelled_order_pattern = {cleaning.cancelled_order_pattern!r}{by_status}, "
        "or quantity and money are negative; the rules are under [cleaning] in genome.toml, and an empty pattern ('') switches the first one off."
    )


def torn_lines(engine: Engine) -> list[str]:
    """Return a notice of refused rows that hold line breaks: often a quote that was never closed took the lines below into one cell."""
    found = engine.fetch(
        "select count(*) as n, min(line_id) + 1 as first_row from numbered_lines "
        "where row_class in ('bad_date', 'bad_quantity', 'bad_price') and contains(raw_row, chr(92) || 'n')"
    ).to_pylist()[0]
    if not found["n"]:
        return []
    return [
        f"{found['n']:,} refused rows hold line breaks (first: row {found['first_row']:,}): a quote that is never closed may have taken the lines "
        "below it into one cell. See them with `genome export --table quarantine --output refused.csv`, and correct the export."
    ]


def _mapping_text(source: SourceTable) -> str:
    """Return the mapping of a source in one line."""
    return ", ".join(f"{name} = {' + '.join(raws)}" for name, raws in source.mapping.items())


def with_currency(job: Job) -> Job:
    """Return the job with the currency of the data in its settings where they name none.

    Raises
    ------
    SettingsError
        When money of several currencies would be added up without rates.
    """
    settings, lines = job.settings, job.sources["order_lines"]
    if "currency" not in lines.mapping:
        return job if settings.shop.currency else _in_currency(job, lines.currency)
    found = job.engine.fetch(
        "select upper(currency) as currency, count(*) as n from numbered_lines where row_class = 'kept' and currency is not null group by 1 order by n desc, 1"
    ).to_pylist()
    codes = [row["currency"] for row in found]
    rates = {code.upper() for code in settings.shop.exchange_rates}
    unknown = [code for code in codes if code not in rates and code != settings.shop.currency.upper()]
    if unknown and (len(codes) > 1 or settings.shop.currency):
        listed = ", ".join(f"{row['currency']} ({row['n']:,} lines)" for row in found)
        raise SettingsError(
            f"{lines.label} holds money in {len(codes)} {'currency' if len(codes) == 1 else 'currencies'}: {listed}. Wanted: the shop's currency alone, or a rate for each of {', '.join(unknown)}. "
            "Set currency and exchange_rates = {EUR = 0.86, ...} (shop currency per unit) under [shop] in genome.toml."
        )
    return job if settings.shop.currency or not codes else _in_currency(job, codes[0])


def _in_currency(job: Job, currency: str) -> Job:
    """Return the job with a currency in its settings."""
    return replace(job, settings=replace(job.settings, shop=replace(job.settings.shop, currency=currency)))
