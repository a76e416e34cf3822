"""Excel workbooks read as one Arrow table.

Comes in: the path of a workbook (.xlsx, .xlsm, .xlsb, .xls, .ods) and the sheets wanted. Goes out: an Arrow table of
all sheets one below the other, with notices. Why fastexcel: docs/decisions/0003-excel-reader.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.errors import SourceError, did_you_mean
from customer_genome.sources.headers import doubled_headers, normal_header
from customer_genome.sources.samples import raw_type

if TYPE_CHECKING:
    import fastexcel

_TITLE_ROWS = 20


def read_workbook(path: Path, wanted: Sequence[str], is_usable: Callable[[Sequence[str]], bool]) -> tuple[pa.Table, list[str]]:
    """Return the sheets of a workbook as one table, and what the user should be told.

    Parameters
    ----------
    wanted : sheet names; empty means every sheet whose headers fit
    is_usable : headers -> whether a sheet with them can feed the table asked for

    Raises
    ------
    SourceError
        Damaged or locked workbooks, unknown sheets, no sheet that fits, sheets with different columns.
    """
    import fastexcel

    try:
        workbook = fastexcel.read_excel(str(path))
        names = _chosen(path, workbook.sheet_names, wanted)
        sheets = {name: headers for name in names if (headers := _headers(workbook, name))}
    except fastexcel.FastExcelError as err:
        raise SourceError(
            f"{path} cannot be read as an Excel workbook: {str(err).splitlines()[0]}. It may be damaged, or locked with a password. "
            "Save it again as .xlsx or export CSV."
        ) from err
    notices: list[str] = []
    used = _same_columns(path, sheets, bool(wanted), is_usable, notices)
    left = [name for name in workbook.sheet_names if name not in used]
    if left:
        notices.append(
            f"Sheets read: {', '.join(used)}. Left out (empty, not asked for, or without the columns): {', '.join(left)}."
        )
    return _union([_sheet(workbook, name, row, headers) for name, (row, headers) in used.items()]), notices


Headers = tuple[int, tuple[str, ...]]
"""(row of the header line, counted from 0; the headers)."""


def _chosen(path: Path, present: Sequence[str], wanted: Sequence[str]) -> list[str]:
    unknown = [name for name in wanted if name not in present]
    if unknown:
        named = "; ".join(f'"{name}" is no sheet.{did_you_mean(name, present)}' for name in unknown)
        raise SourceError(f"{path}: {named} Sheets: {', '.join(present)}.")
    return list(wanted or present)


@contextmanager
def _quiet_about_empty_columns() -> Iterator[None]:
    """Keep fastexcel from logging that a column without values has no type; it is read as text, which is right."""
    logger = logging.getLogger("fastexcel")
    before, logger.propagate = logger.propagate, False
    null = logging.NullHandler()
    logger.addHandler(null)
    try:
        yield
    finally:
        logger.removeHandler(null)
        logger.propagate = before


def _headers(workbook: fastexcel.ExcelReader, name: str) -> Headers | None:
    """Return the header line of a sheet: the first of its rows that is as wide as the table; None for empty sheets."""
    with _quiet_about_empty_columns():
        head = workbook.load_sheet(name, header_row=None, n_rows=_TITLE_ROWS, dtypes="string")
        rows = pa.table(head.to_arrow()).to_pydict() if head.width else {}
    columns = list(rows.values())
    if not columns or not columns[0]:
        return None
    filled = [sum(1 for column in columns if column[place] not in (None, "")) for place in range(len(columns[0]))]
    row = next((place for place, count in enumerate(filled) if count >= 0.8 * max(filled) and count > 0), None)
    if row is None:
        return None
    headers = tuple(str(column[row] or "").strip() for column in columns)
    return row, tuple(header or f"column {place}" for place, header in enumerate(headers, start=1))


def _same_columns(
    path: Path, sheets: dict[str, Headers], is_asked: bool, is_usable: Callable[[Sequence[str]], bool], notices: list[str]
) -> dict[str, Headers]:
    """Return the sheets that make up the table; all of them have the same columns."""
    usable = sheets if is_asked else {name: found for name, found in sheets.items() if is_usable(found[1])}
    usable = usable or dict(list(sheets.items())[:1])
    if not usable:
        raise SourceError(f"{path}: every sheet is empty. Wanted: a header line and at least one line of data.")
    first = next(iter(usable))
    wanted = {normal_header(header) for header in usable[first][1]}
    for name, (_, headers) in usable.items():
        doubled = doubled_headers(headers)
        if doubled:
            raise SourceError(f'{path}, sheet "{name}": ' + "; ".join(doubled) + ".")
        found = {normal_header(header) for header in headers}
        if found != wanted:
            raise SourceError(
                f'{path}: sheet "{name}" has other columns than sheet "{first}". '
                f"Only in {first}: {_listed(wanted - found)}. Only in {name}: {_listed(found - wanted)}. "
                f'Say which sheets to read in genome.toml, e.g. sheets = ["{first}"].'
            )
    return usable


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _sheet(workbook: fastexcel.ExcelReader, name: str, row: int, headers: Sequence[str]) -> pa.Table:
    """Return one sheet; a column that mixes numbers and text is text, its whole numbers without a decimal point."""
    with _quiet_about_empty_columns():
        sheet = workbook.load_sheet(
            name, header_row=None, skip_rows=row + 1, column_names=list(headers), schema_sample_rows=None, whitespace_as_null=True
        )
        table = pa.table(sheet.to_arrow())
    return _without_blank_rows(table)


def _without_blank_rows(table: pa.Table) -> pa.Table:
    """Return a table without the rows in which every cell is empty."""
    filled = None
    for column in table.columns:
        here = pc.is_valid(column)
        filled = here if filled is None else pc.or_(filled, here)
    return table if filled is None else table.filter(filled)


def _union(tables: Sequence[pa.Table]) -> pa.Table:
    """Return tables one below the other, in the columns of the first; types that differ meet in text."""
    names = tables[0].column_names
    aligned = []
    for table in tables:
        places = {normal_header(name): name for name in table.column_names}
        aligned.append(table.select([places[normal_header(name)] for name in names]).rename_columns(names))
    kinds = {name: {raw_type(table.schema.field(name).type) for table in aligned if not _is_empty(table, name)} for name in names}
    fields = []
    for name in names:
        types = [table.schema.field(name).type for table in aligned if not _is_empty(table, name)]
        kind = pa.string() if len(kinds[name]) != 1 else types[0]
        fields.append(pa.field(name, pa.float64() if kinds[name] == {"integer", "double"} else kind))
    schema = pa.schema(fields)
    return pa.concat_tables(
        [pa.table([_as_kind(table.column(field.name), field.type) for field in schema], schema=schema) for table in aligned]
    )


def _is_empty(table: pa.Table, name: str) -> bool:
    column = table.column(name)
    return bool(column.null_count == len(column))


def _as_kind(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """Return a column as another type; numbers that become text lose a trailing ".0"."""
    if pa.types.is_floating(column.type) and pa.types.is_string(kind):
        texts = [
            None if value is None else str(int(value)) if value.is_integer() else repr(value) for value in column.to_pylist()
        ]
        return pa.chunked_array([pa.array(texts, pa.string())])
    return column.cast(kind)
