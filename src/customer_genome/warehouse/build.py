"""From a described source to proven tables: stage every row, class it, build the marts.

Comes in: an engine, described sources, settings as values. Goes out: tables in the warehouse. `lines` holds every input
row; `order_lines`, `refunds`, `order_days` and `ledger` are made from it by the texts in sql/marts, in the order below.
What does not depend on a cutoff stays in the warehouse, so that a refresh can add new rows to it (warehouse/increment.py).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files

import pyarrow as pa

from customer_genome.contracts import INPUT_TABLES, ORDER_LINES, Contract, SourceTable
from customer_genome.errors import ContractError, SourceError
from customer_genome.settings import CleaningSettings, ShopSettings
from customer_genome.warehouse.engine import Engine, literal, quoted

EARLIEST_DAY = dt.date(1970, 1, 1)
NO_REPEATED_LINES = (
    "select cast(null as bigint) as line_id, cast(null as string) as customer_id, cast(null as string) as row_class, "
    "cast(null as decimal(18, 4)) as revenue where false"
)


@dataclass(frozen=True)
class NotMerchandise:
    """Rules for lines that are no goods: exact product ids, and whole words of descriptions. Empty: the rule is off."""

    product_ids: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


@dataclass(frozen=True)
class LineRules:
    """What decides how an order line is read and classed.

    Attributes
    ----------
    today : date
        Lines dated after the day that follows it are bad dates.
    salt, forgotten : text, SHA-256 digests of salt + customer id
        Erased customers, whose rows keep nothing but their class.
    has_money : bool
        False where lines are ratings.
    """

    cleaning: CleaningSettings
    shop: ShopSettings
    today: dt.date
    not_merchandise: NotMerchandise = NotMerchandise()
    salt: str = ""
    forgotten: tuple[str, ...] = ()
    has_money: bool = True

    @property
    def latest_time(self) -> dt.datetime:
        """The time from which lines lie too far ahead to be true."""
        return dt.datetime.combine(self.today + dt.timedelta(days=2), dt.time())


def sql_text(package: str, folder: str, name: str) -> str:
    """Return one SQL text of the product."""
    return files(package).joinpath(folder, f"{name}.sql").read_text(encoding="utf-8")


def stage_lines(
    engine: Engine,
    source: SourceTable,
    cleaning: CleaningSettings,
    shop: ShopSettings,
    *,
    today: dt.date,
    not_merchandise: NotMerchandise | None = None,
    salt: str = "",
    forgotten: Sequence[str] = (),
) -> None:
    """Read the order lines once into `lines`: every row typed, with its class.

    Parameters
    ----------
    today : date
        Lines dated after the day that follows it are bad dates.
    salt, forgotten : text, list of SHA-256 digests of salt + customer id
        Erased customers, whose rows keep nothing but their class.

    Raises
    ------
    SourceError
        When customer, time or money is not mapped.
    """
    rules = LineRules(cleaning, shop, today, not_merchandise or NotMerchandise(), salt, tuple(forgotten), source.has_money)
    unreadable = read_lines(engine, source, rules, "lines")
    engine.write("unreadable_lines", unreadable, keep=True)
    engine.number_rows("lines", "numbered_lines")
    _require_rows(engine, source, "lines")
    if finds_duplicates(source, cleaning):
        engine.create_table("repeated_lines", mart_text("repeated_lines"), keep=True)
    else:
        engine.create_table("repeated_lines", NO_REPEATED_LINES, keep=True)
    engine.create_view("order_lines", mart_text("order_lines"), keep=True)
    engine.create_table("returned_lines", mart_text("returned_lines"), keep=True)


def read_lines(engine: Engine, source: SourceTable, rules: LineRules, table: str, *, keep: bool = True) -> pa.Table:
    """Read order lines once into `table`: every row typed, with its class, by the one text that says what a class is.

    Returns
    -------
    table of row_number, reason, raw_row, row_digest
        The rows that could not be split into columns; without their text where somebody has been erased.

    Raises
    ------
    SourceError
        When customer, time or money is not mapped.
    """
    _require_money(source)
    define_rules(engine, rules)
    engine.read(source, "raw_order_lines")
    engine.create_view("source_lines", source_lines_select(engine, source, rules.shop.timezone))
    engine.create_table(table, staging_text(), keep=keep)
    unreadable = _with_digests(engine.unreadable_rows())
    engine.run("drop view source_lines")
    return _without_text(unreadable) if rules.forgotten else unreadable


def finds_duplicates(source: SourceTable, cleaning: CleaningSettings) -> bool:
    """Return whether equal lines are one line sent twice: only where order and product tell lines apart.

    A rating is told apart by its time and item: nobody rates one thing twice in a moment.
    """
    return cleaning.drop_duplicates and {"order_id" if source.has_money else "ordered_at", "product_id"} <= set(source.mapping)


def _with_digests(unreadable: pa.Table) -> pa.Table:
    """Return unreadable rows with a short digest of their text, by which they are known again when they come once more.

    32 bits tell rows of one shop apart and leave nothing from which an erased row could be restored.
    """
    texts = unreadable.column("raw_row").to_pylist()
    digests = [hashlib.sha256((text or "").encode()).hexdigest()[:8] for text in texts]
    return unreadable.append_column("row_digest", pa.array(digests, pa.string()))


def _without_text(unreadable: pa.Table) -> pa.Table:
    """Return unreadable rows without their text: whose they are cannot be told, so they may be an erased customer's."""
    place = unreadable.schema.get_field_index("raw_row")
    return unreadable.set_column(place, "raw_row", pa.nulls(unreadable.num_rows, pa.string()))


def build_marts(engine: Engine, cutoffs: pa.Table, cleaning: CleaningSettings) -> None:
    """Build refunds and orders for the cutoffs, and the ledger as of the last of them.

    Parameters
    ----------
    cutoffs : table with as_of (date) and horizon_days (int), and digest_below (text) where only some customers are seen
    """
    build_orders(engine)
    build_marts_of_cutoffs(engine, cutoffs, cleaning)


def build_orders(engine: Engine) -> None:
    """Build what knows no cutoff: orders cut by day and country, and what matching returns needs."""
    engine.create_table("return_events", mart_text("return_events"), keep=True)
    engine.create_table("order_totals", mart_text("order_totals"), keep=True)
    engine.create_table("split_orders", mart_text("split_orders"))
    engine.create_table("split_order_days", mart_text("split_order_days"), keep=True)
    engine.create_view("order_days", mart_text("order_days"))


def match_returns(engine: Engine) -> None:
    """Match every return with the purchases before it, as each cutoff knew them."""
    engine.create_table("return_matches", mart_text("return_matches"), keep=True)


def build_marts_of_cutoffs(
    engine: Engine, cutoffs: pa.Table, cleaning: CleaningSettings, *, match: Callable[[Engine], None] = match_returns
) -> None:
    """Build refunds for the cutoffs and the ledger as of the last of them, from orders that stand.

    Parameters
    ----------
    match : function of the engine
        Builds `return_matches` for the table `cutoffs`; a refresh matches only what has changed since `matched_cutoffs`.
    """
    everybody = pa.array(["g"] * len(cutoffs), pa.string())
    engine.write(
        "cutoffs", cutoffs if "digest_below" in cutoffs.column_names else cutoffs.append_column("digest_below", everybody)
    )
    engine.define("nets_refunds", (), "true" if cleaning.refunds == "net" else "false")
    match(engine)
    engine.write("matched_cutoffs", cutoffs, keep=True)
    engine.create_table("refunds", mart_text("refunds"))
    engine.create_view("refunds_now", "select * from refunds where as_of = (select max(as_of) from cutoffs)")
    engine.create_table("ledger", mart_text("ledger"))
    engine.create_view("quarantine", mart_text("quarantine"), keep=True)


def build_refund_effect(engine: Engine) -> None:
    """Build the table that says what each refund policy makes of revenue."""
    engine.create_table("refund_effect", mart_text("refund_effect"))


def published_text(name: str) -> str:
    """Return the SQL text of a published table."""
    return sql_text("customer_genome.warehouse", "sql/published", name)


def mart_text(name: str) -> str:
    """Return the text of a mart."""
    return sql_text("customer_genome.warehouse", "sql/marts", name)


def _require_money(source: SourceTable) -> None:
    """Refuse a source without customer, time or money, listing all that is missing."""
    missing = [name for name in ORDER_LINES.required if name not in source.mapping]
    if not {"price", "amount"} & set(source.mapping):
        missing.append("price or amount")
    if missing:
        found = ", ".join(column.name for column in source.columns)
        raise SourceError(
            f"{source.label}: no column for {', '.join(missing)}. Found: {found}. "
            "Wanted: at least customer, time and amount. Map them under [tables.order_lines] columns in genome.toml (`genome init FILE` proposes it)."
        )


def _require_rows(engine: Engine, source: SourceTable, table: str) -> None:
    """Refuse a source that is known to have another number of rows."""
    found = engine.fetch(f"select count(*) as n from {table}").column("n")[0].as_py()
    if source.expected_rows is not None and found != source.expected_rows:
        raise SourceError(
            f"{source.label} has {found:,} rows; the published data have {source.expected_rows:,}. This is another file, or not all of it. "
            "Get it again, or name the file itself instead of the public name."
        )


def staging_text() -> str:
    """Return the text that types and classes every input row."""
    return sql_text("customer_genome.warehouse", "sql/staging", "lines")


def define_rules(engine: Engine, rules: LineRules) -> None:
    """Turn the rules into functions that the staging text calls."""
    cleaning, not_merchandise = rules.cleaning, rules.not_merchandise
    engine.define("unread_money", (), "'bad_price'" if rules.has_money else "'bad_rating'")
    ids = ", ".join(literal(digest) for digest in rules.forgotten)
    engine.define("is_forgotten", ("c",), f"digest({literal(rules.salt)} || c) in ({ids})" if ids else "false")
    statuses = ", ".join(literal(status.lower()) for status in cleaning.cancelled_statuses)
    pattern = cleaning.cancelled_order_pattern
    engine.define(
        "is_cancelled_order", ("t",), f"coalesce(matches_pattern(t, {literal(pattern)}), false)" if pattern else "false"
    )
    engine.define("is_cancelled_status", ("t",), f"coalesce(lower(t) in ({statuses}), false)" if statuses else "false")
    engine.define("earliest_time", (), f"timestamp '{EARLIEST_DAY.isoformat()} 00:00:00'")
    engine.define("latest_time", (), f"timestamp '{rules.latest_time}'")
    tests = []
    if not_merchandise.product_ids:
        tests.append(f"upper(p) in ({', '.join(literal(item.upper()) for item in not_merchandise.product_ids)})")
    tests.extend(f"contains(words_of(d), {literal(keyword_text(word))})" for word in not_merchandise.keywords)
    engine.define("is_not_merchandise", ("p", "d"), f"coalesce({' or '.join(tests)}, false)" if tests else "false")
    rates = " ".join(
        f"when upper(c) = {literal(code.upper())} then cast({rate!r} as decimal(28, 6))"
        for code, rate in rules.shop.exchange_rates.items()
    )
    engine.define("exchange_rate", ("c",), f"case {rates} else 1 end" if rates else "1")


def keyword_text(words: str) -> str:
    """Return a keyword as `words_of` writes descriptions: lower case, blanks around and between words.

    Examples
    --------
    >>> keyword_text("T-Light")
    ' t light '
    """
    parts = "".join(letter if letter.isalnum() else " " for letter in words.lower()).split()
    return f" {' '.join(parts)} "


def source_lines_select(engine: Engine, source: SourceTable, timezone: str) -> str:
    """Return the select that renames and types the raw columns of the order lines."""
    parts = [
        f"{text_expression(source, column.name)} as {column.name}" for column in ORDER_LINES.columns if column.type == "text"
    ]
    parts.append(f"{time_of(engine, source, 'ordered_at', timezone)} as ordered_at")
    rate = _rate(source)
    price = _converted(number_expression(source, "price"), rate)
    parts.append(f"{price} as price")
    discount = _sum_expression(source, "discount")
    parts.append(f"{_converted(f'abs({discount})', rate)} as discount")
    amount = _converted(number_expression(source, "amount"), rate)
    if "quantity" in source.mapping:
        quantity = number_expression(source, "quantity")
    elif "amount" in source.mapping:
        quantity = f"cast(case when {amount} < 0 then -1 else 1 end as decimal(18, 4))"
    else:
        quantity = "cast(1 as decimal(18, 4))"
    parts.append(f"{quantity} as quantity")
    money = amount if "amount" in source.mapping else _product(quantity, price)
    if not source.has_money:  # a rating weighs one, whatever it says
        money = f"cast(case when {price} is not null then 1 end as decimal(18, 4))"
    parts.append(f"{money} as money")
    used = dict.fromkeys(name for names in source.mapping.values() for name in names)
    parts.append(f"{engine.row_json_expression(tuple(used))} as raw_row")
    return "select " + ",\n    ".join(parts) + "\nfrom raw_order_lines"


def _product(quantity: str, price: str) -> str:
    """Return SQL for quantity times price, null beyond what 18 digits hold exactly: no shop sells a line for 90 billion."""
    return (
        f"case when abs(cast({quantity} as double) * cast({price} as double)) < 9e10 "
        f"then cast({quantity} * {price} as decimal(18, 4)) end"
    )


def _rate(source: SourceTable) -> str:
    """Return the exchange rate expression, empty where the data name no currency."""
    return f"exchange_rate({text_expression(source, 'currency')})" if "currency" in source.mapping else ""


def _converted(money: str, rate: str) -> str:
    """Return money in the shop's currency."""
    return f"try_cast(({money}) * {rate} as decimal(18, 4))" if rate else money


def text_expression(source: SourceTable, name: str) -> str:
    """Return SQL for a text column of the contract: trimmed, null when empty; ids lose a trailing `.0`."""
    if name in source.told_once and name != "order_id":
        own, order = _own_text(source, name), _own_text(source, "order_id")
        return f"coalesce({own}, case when {order} is not null then max({own}) over (partition by {order}) end)"
    return _own_text(source, name)


def _own_text(source: SourceTable, name: str) -> str:
    """Return SQL for the text that stands on the line itself."""
    if name not in source.mapping:
        return "cast(null as string)"
    raw = source.mapping[name][0]
    column, raw_type = quoted(raw), source.raw_type(raw)
    is_id = name.endswith("_id")
    if raw_type == "double" and is_id:
        return f"id_from_number({column})"
    if raw_type != "text":
        column = f"number_text({column})" if raw_type == "double" else f"cast({column} as string)"
    return f"clean_id({column})" if is_id and raw_type == "text" and name == "customer_id" else f"clean_text({column})"


def number_expression(source: SourceTable, name: str) -> str:
    """Return SQL for a number of the contract as decimal(18, 4), null where it cannot be read."""
    if name not in source.mapping:
        return "cast(null as decimal(18, 4))"
    return _number_of_raw(source, source.mapping[name][0])


def _sum_expression(source: SourceTable, name: str) -> str:
    """Return SQL for the sum of the raw columns mapped to `name`."""
    if name not in source.mapping:
        return "cast(null as decimal(18, 4))"
    raws = [_number_of_raw(source, raw) for raw in source.mapping[name]]
    return raws[0] if len(raws) == 1 else "cast(" + " + ".join(f"coalesce({raw}, 0)" for raw in raws) + " as decimal(18, 4))"


def _number_of_raw(source: SourceTable, raw: str) -> str:
    """Return SQL that reads one raw column as a number."""
    column = quoted(raw)
    if source.raw_type(raw) != "text":
        return f"number_from_double({column})" if source.raw_type(raw) == "double" else f"try_cast({column} as decimal(18, 4))"
    return f"number_from_{'comma' if source.decimal_mark == ',' else 'point'}_text({column})"


def time_of(engine: Engine, source: SourceTable, name: str, timezone: str) -> str:
    """Return SQL for a time of the contract."""
    if name not in source.mapping:
        return "cast(null as timestamp)"
    raw = source.mapping[name][0]
    order = source.date_orders.get(name, "typed")
    return engine.time_expression(quoted(raw), source.raw_type(raw), order, source.time_formats.get(name, ()), timezone)


def stage_side_table(engine: Engine, source: SourceTable, timezone: str) -> int:
    """Read a table that describes customers, products, promotions and so on; return its rows.

    Extra columns are kept under `attribute_<name>` where the contract allows them.

    Raises
    ------
    ContractError
        When required values are missing or keys repeat, with the number of rows and the first of them.
    """
    contract = INPUT_TABLES[source.table]
    engine.read(source, f"raw_{source.table}")
    parts = [
        f"{_side_expression(engine, source, contract, column.name, timezone)} as {column.name}" for column in contract.columns
    ]
    if contract.extra_columns:
        used = {raw for names in source.mapping.values() for raw in names}
        extra = [column for column in source.columns if column.name not in used and column.type != "other"]
        parts.extend(_attribute(column.name, column.type) for column in extra)
    engine.create_table(source.table, f"select {', '.join(parts)} from raw_{source.table}", keep=True)
    _require_rows(engine, source, source.table)
    faults = _side_faults(engine, contract)
    if faults:
        raise ContractError(
            f"{source.label}: "
            + " ".join(faults)
            + f" Wanted: {contract.grain}. Correct the file, or map other columns under [tables.{contract.name}]."
        )
    return int(engine.fetch(f"select count(*) as n from {source.table}").column("n")[0].as_py())


def _side_expression(engine: Engine, source: SourceTable, contract: Contract, name: str, timezone: str) -> str:
    """Return SQL for one contract column of a side table."""
    kind = contract.column(name).type
    if kind == "timestamp":
        return time_of(engine, source, name, timezone)
    return number_expression(source, name) if kind == "decimal" else text_expression(source, name)


def _attribute(name: str, raw_type: str) -> str:
    """Return SQL that keeps an extra column, text trimmed, under a plain name."""
    plain = "".join(letter if letter.isalnum() else "_" for letter in name.lower()).strip("_")
    value = f"clean_text({quoted(name)})" if raw_type == "text" else quoted(name)
    return f"{value} as {quoted('attribute_' + plain)}"


def _side_faults(engine: Engine, contract: Contract) -> list[str]:
    """Return what breaks the contract of a side table, as sentences."""
    faults = []
    for name in contract.required:
        n = engine.fetch(f"select count(*) as n from {contract.name} where {name} is null").column("n")[0].as_py()
        if n:
            faults.append(f"{contract.name}.{name} is empty or unreadable in {n:,} rows.")
    if contract.key:
        keys = ", ".join(contract.key)
        repeated = engine.fetch(
            f"select {keys} from {contract.name} group by {keys} having count(*) > 1 order by {keys} limit 3"
        ).to_pylist()
        if repeated:
            shown = "; ".join(", ".join(str(value) for value in row.values()) for row in repeated)
            faults.append(f"{contract.name}: the key {keys} is not unique (such as {shown}).")
    return faults
