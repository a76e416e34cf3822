"""Whether a source still looks as it did when its rows were loaded, column by column.

Comes in: a source found readable, and how the rows before were staged. Goes out: its description with the same meaning, or
one error that names every column that is missing, renamed, of another type, or newly meant. Nothing is guessed anew: what a
column meant it means still, and columns that meant nothing still mean nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any, Self, cast

from customer_genome.contracts import Contract, RawColumn, SourceTable
from customer_genome.errors import SourceError, did_you_mean
from customer_genome.settings import TableSettings
from customer_genome.sources.files import Look, contract_named, describe_look
from customer_genome.sources.headers import find_header, match_headers, normal_header
from customer_genome.sources.meaning import ORDER_WORDS
from customer_genome.sources.text_formats import find_mark, find_order, looks_like_number

_TIMES = frozenset({"date", "timestamp"})
_NUMBERS = frozenset({"integer", "double", "decimal"})
_ID_NUMBERS = frozenset({"integer", "double"})
_VALUES_TO_JUDGE = 5
"""Fewer unreadable values are bad rows, not another column."""
_MARK_WORDS = {".": "a decimal point", ",": "a decimal comma"}


@dataclass(frozen=True)
class StagedTable:
    """How the rows of a table were read. See `SourceTable` for the attributes."""

    table: str
    label: str
    mapping: Mapping[str, tuple[str, ...]]
    columns: tuple[RawColumn, ...]
    date_orders: Mapping[str, str]
    decimal_mark: str
    currency: str

    @classmethod
    def of(cls, source: SourceTable) -> Self:
        """Return what is remembered of a source."""
        return cls(
            source.table, source.label, source.mapping, source.columns, source.date_orders, source.decimal_mark, source.currency
        )

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self) | {"columns": [[column.name, column.type] for column in self.columns]}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return what `as_json` described."""
        return cls(
            stored["table"],
            stored["label"],
            {name: tuple(raws) for name, raws in stored["mapping"].items()},
            tuple(RawColumn(name, kind) for name, kind in stored["columns"]),
            dict(stored["date_orders"]),
            stored["decimal_mark"],
            stored["currency"],
        )

    def without_rows(self) -> SourceTable:
        """Return a description that says what the columns mean, for rows that are loaded already."""
        return SourceTable(
            self.table, self.label, "arrow", self.columns, self.mapping, date_orders=cast(Any, self.date_orders), currency=self.currency
        )  # fmt: skip


def described_as_before(look: Look, before: StagedTable, settings: TableSettings) -> SourceTable:
    """Return the description of a source that reads its rows as those before were read.

    Parameters
    ----------
    settings : what the user says about the table now; other columns than before are refused

    Raises
    ------
    SourceError
        Naming every column that is not as it was, with what was found and what was wanted.
    """
    contract = contract_named(before.table)
    faults = [
        *_settings_faults(settings, before),
        *_column_faults(look, contract, before),
        *_new_meanings(look, contract, before, settings),
    ]
    if not faults:
        faults = _value_faults(look, contract, before)
    if faults:
        found = ", ".join(column.name for column in look.table.columns)
        raise SourceError(
            f"{look.table.label} does not look as it did when its rows were loaded: {'; '.join(faults)}. Found: {found}. "
            f"Wanted: {_mapping_text(before)}. Nothing was loaded. Correct the export, or read everything anew with `genome run`."
        )
    source = describe_look(look, before.table, _settings_of(before, contract, settings))
    return replace(source, currency=before.currency, notices=(*source.notices, *_unused(look, before)))


def _settings_of(before: StagedTable, contract: Contract, settings: TableSettings) -> TableSettings:
    """Return settings under which every column means what it meant; the others mean nothing."""
    silenced: dict[str, tuple[str, ...]] = dict.fromkeys(contract.names, ())
    order = next((order for order in before.date_orders.values() if order != "typed"), None)
    return replace(
        settings,
        columns=silenced | dict(before.mapping),
        date_order=cast(Any, order),
        decimal_mark=cast(Any, before.decimal_mark),
    )


def _settings_faults(settings: TableSettings, before: StagedTable) -> list[str]:
    """Return what the user's settings say otherwise than before."""
    names = [column.name for column in before.columns]
    faults = []
    for name, raws in settings.columns.items():
        wanted = [find_header(raw, names) or raw for raw in raws if raw.strip()]
        held = list(before.mapping.get(name, ()))
        if [normal_header(raw) for raw in wanted] != [normal_header(raw) for raw in held]:
            faults.append(
                f"genome.toml reads {name} from {_listed(wanted)}, the rows loaded before were read from {_listed(held)}"
            )
    orders = set(before.date_orders.values()) & {"ymd", "dmy", "mdy"}
    if settings.date_order and orders and settings.date_order not in orders:
        faults.append(f'genome.toml says date_order = "{settings.date_order}", the times loaded before were "{orders.pop()}"')
    if settings.decimal_mark and settings.decimal_mark != before.decimal_mark:
        faults.append(
            f'genome.toml says decimal_mark = "{settings.decimal_mark}", the numbers loaded before had {_MARK_WORDS[before.decimal_mark]}'
        )
    return faults


def _column_faults(look: Look, contract: Contract, before: StagedTable) -> list[str]:
    """Return mapped columns that are missing, renamed or of another type."""
    types = {column.name: column.type for column in look.table.columns}
    names = list(types)
    new = _new_headers(look, before)
    kinds = {column.name: column.type for column in before.columns}
    faults = []
    for name, raws in before.mapping.items():
        for raw in raws:
            header = find_header(raw, names)
            if header is None:
                hint = _likely_new_name(name, new, contract) or did_you_mean(raw, new)
                faults.append(f'column "{raw}" ({name}) is missing.{hint}'.removesuffix("."))
            elif not _reads_alike(name, contract, kinds[raw], types[header]):
                faults.append(f'column "{raw}" ({name}) is {types[header]}, and was {kinds[raw]}')
    return faults


def _likely_new_name(name: str, new: list[str], contract: Contract) -> str:
    """Return a hint where a new column bears a name under which shops export `name`."""
    column = contract.column(name) if name in contract.names else None
    known = {normal_header(word) for word in (column.name, *column.synonyms)} if column else set()
    found = next((header for header in new if normal_header(header) in known), None)
    return f' It seems to be called "{found}" now.' if found else ""


def _reads_alike(name: str, contract: Contract, before: str, now: str) -> bool:
    """Return whether values of two types become the same value of the contract."""
    kind = contract.column(name).type if name in contract.names else "text"
    if before == now:
        return True
    if kind == "timestamp":
        return {before, now} <= _TIMES
    return {before, now} <= (_NUMBERS if kind == "decimal" else _ID_NUMBERS if name.endswith("_id") else frozenset())


def _new_meanings(look: Look, contract: Contract, before: StagedTable, settings: TableSettings) -> list[str]:
    """Return new columns that would be read as something that had no column before."""
    new = _new_headers(look, before)
    if not new:
        return []
    match = match_headers(new, contract, label=look.table.label, types=look.sample.types, is_proposal=True)
    silenced = {name for name, raws in settings.columns.items() if not any(raw.strip() for raw in raws)}
    return [
        f'new column "{raws[0]}" would be read as {name}, which no loaded row has'
        for name, raws in match.mapping.items()
        if name in contract.names and name not in before.mapping and name not in silenced
    ]


def _new_headers(look: Look, before: StagedTable) -> list[str]:
    """Return the columns that were not there before."""
    known = {normal_header(column.name) for column in before.columns}
    return [column.name for column in look.table.columns if normal_header(column.name) not in known]


def _value_faults(look: Look, contract: Contract, before: StagedTable) -> list[str]:
    """Return columns of text whose values prove that they are written in another way now."""
    faults = []
    names = look.sample.names
    for name, order in before.date_orders.items():
        header = find_header(before.mapping[name][0], names)
        values = look.sample.values[header] if header and look.sample.types[header] == "text" else ()
        if not values or order == "typed":
            continue
        finding = find_order(values, date.today().year + 1)
        possible = finding.possible
        if len(values) >= _VALUES_TO_JUDGE and not finding.n_read:
            faults.append(f'"{header}" ({name}) holds no times, such as {values[0]!r}, and did before')
        elif possible and order not in possible:
            now = " or ".join(ORDER_WORDS[found] for found in sorted(possible))
            faults.append(
                f'times in "{header}" ({name}), such as {values[0]!r}, are written {now}, and were {ORDER_WORDS[cast(Any, order)]}'
            )
    texts = [
        (name, header)
        for name, raws in before.mapping.items()
        if name in contract.names and contract.column(name).type == "decimal"
        for raw in raws
        if (header := find_header(raw, names)) and look.sample.types[header] == "text"
    ]
    for name, header in texts:
        values = look.sample.values[header]
        if len(values) >= _VALUES_TO_JUDGE and not any(looks_like_number(value) for value in values):
            faults.append(f'"{header}" ({name}) holds no numbers, such as {values[0]!r}, and did before')
            continue
        marks = find_mark(values)
        proof = marks.comma if before.decimal_mark == "." else marks.point
        if proof and not (marks.comma and marks.point):
            faults.append(
                f'numbers in "{header}", such as {proof!r}, are not written with {_MARK_WORDS[before.decimal_mark]} as before'
            )
    return faults


def _unused(look: Look, before: StagedTable) -> tuple[str, ...]:
    """Return a notice of columns that are new and not used."""
    new = _new_headers(look, before)
    return (f"{look.table.label}: new column(s) {_listed(new)} not used.",) if new else ()


def _mapping_text(before: StagedTable) -> str:
    """Return the mapping before in one line."""
    return ", ".join(f"{name} = {' + '.join(raws)}" for name, raws in before.mapping.items())


def _listed(names: list[str]) -> str:
    """Return names in quotes, or the word nothing."""
    return ", ".join(f'"{name}"' for name in names) or "nothing"
