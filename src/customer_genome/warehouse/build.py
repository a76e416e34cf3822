"""From a described source to proven tables: stage every row, class it, build the marts.

Comes in: an engine, described sources, settings as values. Goes out: tables in the warehouse. `lines` holds every input
row; `order_lines`, `refunds`, `order_days` and `ledger` are made from it by the texts in sql/marts, in the order below.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import pyarrow as pa

from customer_genome.contracts import INPUT_TABLES, ORDER_LINES, Contract, SourceTable
from customer_genome.errors import ContractError, SourceError
from customer_genome.settings import CleaningSettings, ShopSettings
from customer_genome.warehouse.engine import Engine, literal, quoted

EARLIEST_DAY = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class NotMerchandise:
    """Rules for lines that are no goods: exact product ids, and whole words of descriptions. Empty: the rule is off."""

    product_ids: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


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
    _require_money(source)
    _define_rules(engine, cleaning, shop, not_merchandise or NotMerchandise(), today)
    ids = ", ".join(literal(digest) for digest in forgotten)
    engine.define("is_forgotten", ("c",), f"digest({literal(salt)} || c) in ({ids})" if ids else "false")
    engine.read(source, "raw_order_lines")
    engine.create_view("source_lines", source_lines_select(engine, source, shop.timezone))
    engine.create_table("lines", sql_text("customer_genome.warehouse", "sql/staging", "lines"), keep=True)
    engine.write(
        "unreadable_lines", _without_text(engine.unreadable_rows()) if forgotten else engine.unreadable_rows(), keep=True
    )
    engine.run("drop view source_lines")
    engine.number_rows("lines", "numbered_lines")
    _require_rows(engine, source, "lines")
    if cleaning.drop_duplicates and {"order_id", "product_id"} <= set(source.mapping):
        engine.create_table("repeated_lines", _mart("repeated_lines"), keep=True)
    else:
        engine.create_table("repeated_lines", "select cast(null as bigint) as line_id where false", keep=True)
    engine.create_view("order_lines", _mart("order_lines"), keep=True)
    engine.create_table("returned_lines", _mart("returned_lines"))


def _without_text(unreadable: pa.Table) -> pa.Table:
    """Return unreadable rows without their text: whose they are cannot be told, so they may be an erased customer's."""
    place = unreadable.schema.get_field_index("raw_row")
    return unreadable.set_column(place, "raw_row", pa.nulls(unreadable.num_rows, pa.string()))


def build_marts(engine: Engine, cutoffs: pa.Table, cleaning: CleaningSettings) -> None:
    """Build refunds and orders for the cutoffs, and the ledger as of the last of them.

    Parameters
    ----------
    cutoffs : table with as_of (date) and horizon_days (int)
    """
    engine.write("cutoffs", cutoffs)
    engine.define("nets_refunds", (), "true" if cleaning.refunds == "net" else "false")
    engine.create_table("return_matches", _mart("return_matches"))
    engine.create_table("refunds", _mart("refunds"))
    engine.create_view("refunds_now", "select * from refunds where as_of = (select max(as_of) from cutoffs)")
    engine.create_table("order_totals", _mart("order_totals"))
    engine.create_table("split_orders", _mart("split_orders"))
    engine.create_table("split_order_days", _mart("split_order_days"))
    engine.create_view("order_days", _mart("order_days"))
    engine.create_table("ledger", _mart("ledger"))
    engine.create_view("quarantine", _mart("quarantine"), keep=True)


def build_refund_effect(engine: Engine) -> None:
    """Build the table that says what each refund policy makes of revenue."""
    engine.create_table("refund_effect", _mart("refund_effect"))


def published_text(name: str) -> str:
    """Return the SQL text of a published table."""
    return sql_text("customer_genome.warehouse", "sql/published", name)


def _mart(name: str) -> str:
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


def _define_rules(
    engine: Engine, cleaning: CleaningSettings, shop: ShopSettings, not_merchandise: NotMerchandise, today: dt.date
) -> None:
    """Turn the cleaning rules into functions that the staging text calls."""
    statuses = ", ".join(literal(status.lower()) for status in cleaning.cancelled_statuses)
    pattern = cleaning.cancelled_order_pattern
    engine.define(
        "is_cancelled_order", ("t",), f"coalesce(matches_pattern(t, {literal(pattern)}), false)" if pattern else "false"
    )
    engine.define("is_cancelled_status", ("t",), f"coalesce(lower(t) in ({statuses}), false)" if statuses else "false")
    engine.define("earliest_time", (), f"timestamp '{EARLIEST_DAY.isoformat()} 00:00:00'")
    engine.define("latest_time", (), f"timestamp '{(today + dt.timedelta(days=2)).isoformat()} 00:00:00'")
    tests = []
    if not_merchandise.product_ids:
        tests.append(f"upper(p) in ({', '.join(literal(item.upper()) for item in not_merchandise.product_ids)})")
    tests.extend(f"contains(words_of(d), {literal(keyword_text(word))})" for word in not_merchandise.keywords)
    engine.define("is_not_merchandise", ("p", "d"), f"coalesce({' or '.join(tests)}, false)" if tests else "false")
    rates = " ".join(
        f"when upper(c) = {literal(code.upper())} then cast({rate!r} as decimal(28, 6))"
        for code, rate in shop.exchange_rates.items()
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
    engine.create_table(source.table, f"select {', '.join(parts)} from raw_{source.table}")
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
