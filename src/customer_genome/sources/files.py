"""Files and Arrow data described for an engine.

Comes in: a file, folder, glob, or Arrow data, with the user's settings for the table. Goes out: a `SourceTable` that
says where the data is, how it is read and what its columns mean. Only the head and a few places of a file are read;
clean copies are written only of files an engine cannot read as they stand. Nothing is ever written next to the data.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import pyarrow as pa
import pyarrow.parquet as pq

from customer_genome.contracts import INPUT_TABLES, Contract, CsvFormat, RawColumn, SourceTable
from customer_genome.errors import SourceError, did_you_mean
from customer_genome.settings import TableSettings
from customer_genome.sources.excel import read_workbook
from customer_genome.sources.headers import find_header, match_headers, normal_header
from customer_genome.sources.meaning import Meaning, understand
from customer_genome.sources.places import files_at, label_of, one_kind
from customer_genome.sources.samples import (
    Sample,
    arrow_as_table,
    csv_as_table,
    raw_columns,
    sample_of_arrow,
    sample_of_parquet,
    sample_of_rows,
)
from customer_genome.sources.text_copies import clean_copy
from customer_genome.sources.text_files import BLANKS, TextFile, TextHints, look_at

if TYPE_CHECKING:
    import pandas as pd

_FIRST_ROWS = 4000
MOST_SAMPLED_ROWS = 16_000


def describe_file(path: str | Path, table_name: str, settings: TableSettings, workspace_tmp: Path) -> SourceTable:
    """Return how an engine reads a file, folder or glob as one of the input tables.

    Parameters
    ----------
    path : str or Path
        A file, a folder (all data files in it) or a glob; all files of one kind with the same columns.
    table_name : str
        "order_lines", "customers", "products", "promotions", "ratings", "items" or "suppressions".
    workspace_tmp : Path
        Where clean copies may be written; made when needed.

    Raises
    ------
    SourceError
        Missing, empty, damaged or foreign files, headers that do not fit; every message says what to do next.
    AskError
        Day and month or the decimal mark can be read two ways.
    """
    return describe_look(look_at_path(path, table_name, settings, workspace_tmp), table_name, settings)


@dataclass(frozen=True)
class Look:
    """A source that was found readable: a sample of it, and its description without mapping, times and numbers."""

    sample: Sample
    table: SourceTable


def look_at_path(path: str | Path, table_name: str, settings: TableSettings, workspace_tmp: Path) -> Look:
    """Return a file, folder or glob found readable, with a sample of its values."""
    contract_named(table_name)
    files = files_at(path)
    return look_at_files(files, label_of(path, files), table_name, settings, workspace_tmp)


def look_at_files(files: Sequence[Path], label: str, table_name: str, settings: TableSettings, workspace_tmp: Path) -> Look:
    """Return files of one kind found readable as one table, with a sample of its values."""
    kind = one_kind(files)
    if kind == "parquet":
        look = _look_at_parquet(files, label, table_name)
    elif kind == "excel":
        look = _look_at_excel(files, label, table_name, settings, workspace_tmp)
    else:
        look = _look_at_text(files, label, table_name, settings, workspace_tmp)
    return Look(look.sample, replace(look.table, origins=tuple(str(file.absolute()) for file in files)))


def describe_look(look: Look, table_name: str, settings: TableSettings) -> SourceTable:
    """Return the description of a source whose columns are given their meaning."""
    contract = contract_named(table_name)
    meaning = understand(look.sample, contract, settings, look.table.label)
    return _with_meaning(look.table, meaning)


def contract_named(table_name: str) -> Contract:
    """Return the contract of an input table; SourceError with near names when there is none."""
    if table_name not in INPUT_TABLES:
        raise SourceError(
            f'"{table_name}" is not an input table.{did_you_mean(table_name, INPUT_TABLES)} Tables: {", ".join(INPUT_TABLES)}.'
        )
    return INPUT_TABLES[table_name]


def _with_meaning(table: SourceTable, meaning: Meaning) -> SourceTable:
    return replace(
        table,
        mapping=dict(meaning.match.mapping),
        date_orders=dict(meaning.date_orders),
        time_formats=dict(meaning.time_formats),
        decimal_mark=meaning.decimal_mark,
        notices=(*table.notices, *meaning.notices),
        told_once=meaning.told_once,
    )


# --- Arrow -------------------------------------------------------------------------------------------------------


def describe_arrow(
    data: Any,
    table_name: str,
    settings: TableSettings | None = None,
    *,
    label: str = "the table given",
    workspace_tmp: Path | None = None,
) -> SourceTable:
    """Return how an engine reads data handed over from Python.

    Parameters
    ----------
    data : pyarrow Table, RecordBatch or RecordBatchReader, pandas DataFrame, anything with the Arrow stream interface,
        or a function that returns a new RecordBatchReader each time it is called (databases)
    workspace_tmp : Path
        A reader can be read only once: it is kept there as Parquet. Without it, in memory.

    Raises
    ------
    SourceError, AskError
        As for files.
    """
    contract_named(table_name)
    return describe_look(look_at_arrow(data, table_name, label, workspace_tmp), table_name, settings or TableSettings())


def look_at_arrow(data: Any, table_name: str, label: str = "the table given", workspace_tmp: Path | None = None) -> Look:
    """Return data handed over from Python found readable, with a sample of its values."""
    if isinstance(data, pa.RecordBatchReader) and workspace_tmp is not None:
        kept = _kept(data, workspace_tmp / f"given-{uuid.uuid4().hex[:12]}.parquet", label)
        return _look_at_parquet([kept], label, table_name)
    if callable(data) and not hasattr(data, "__arrow_c_stream__"):
        return _look_at_batches(data, label, table_name)
    table = as_arrow(data)
    return _look_at_table(table, table.to_reader, label, table_name)


def as_arrow(data: Any) -> pa.Table:
    """Return data from Python as an Arrow table."""
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatchReader):
        return data.read_all()
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if type(data).__module__.partition(".")[0] == "pandas" and hasattr(data, "columns"):
        return _from_pandas(cast("pd.DataFrame", data))
    if hasattr(data, "__arrow_c_stream__"):
        return pa.table(data)
    raise SourceError(
        f"Data of type {type(data).__name__} cannot be read. Wanted: a pandas DataFrame, a pyarrow Table or RecordBatchReader, or a path."
    )


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    """Return a DataFrame as Arrow; a named index becomes columns, columns of mixed objects become text."""
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    arrays, names = [], []
    for place, name in enumerate(frame.columns):
        series = frame.iloc[:, place]
        try:
            arrays.append(_chunked(pa.Array.from_pandas(series)))
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            texts = [None if missing else str(value) for value, missing in zip(series, series.isna(), strict=True)]
            arrays.append(_chunked(pa.array(texts, pa.string())))
        names.append(str(name))
    return pa.table(arrays, names=names)


def _chunked(array: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    return array if isinstance(array, pa.ChunkedArray) else pa.chunked_array([array])


def _look_at_table(table: pa.Table, batches: Callable[[], pa.RecordBatchReader], label: str, table_name: str) -> Look:
    if table.num_rows == 0:
        raise SourceError(f"{label} has columns but no rows. Wanted: at least one row. Check the query or the export.")
    sample = sample_of_arrow(table, arrow_as_table(batches))
    return Look(sample, SourceTable(table_name, label, "arrow", sample.columns, {}, batches=batches))


def _look_at_batches(batches: Callable[[], pa.RecordBatchReader], label: str, table_name: str) -> Look:
    """Look at the first rows of data that can be read again and again."""
    with batches() as reader:
        first, n_rows = [], 0
        for batch in reader:
            first.append(batch)
            n_rows += batch.num_rows
            if n_rows >= _FIRST_ROWS:
                break
        table = pa.Table.from_batches(first, schema=reader.schema)
    return _look_at_table(table, batches, label, table_name)


def _kept(reader: pa.RecordBatchReader, target: Path, label: str) -> Path:
    """Keep the batches of a reader as a Parquet file, which appears under its name only when it is complete."""
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(part, reader.schema, compression="zstd") as writer:
            for batch in reader:
                writer.write_batch(batch)
        part.replace(target)
    except (OSError, pa.ArrowInvalid) as err:
        with suppress(OSError):
            part.unlink()
        raise SourceError(f"{label} could not be kept in {target.parent}: {_first_line(err)}. Free some space there.") from err
    return target


# --- Parquet and Excel -------------------------------------------------------------------------------------------


def _look_at_parquet(files: Sequence[Path], label: str, table_name: str) -> Look:
    columns: tuple[RawColumn, ...] = ()
    n_rows = 0
    for file in files:
        try:
            with pq.ParquetFile(file) as opened:
                found = raw_columns(opened.schema_arrow)
                n_rows += opened.metadata.num_rows
        except (pa.ArrowInvalid, OSError) as err:
            raise SourceError(
                f"{file} is a damaged or cut-off Parquet file: {_first_line(err)}. Copy or export it again."
            ) from err
        columns = found if not columns else _merged(columns, found, files[0], file)
    if n_rows == 0:
        raise SourceError(f"{label} has columns but no rows. Wanted: at least one row. Export it again.")
    try:
        sample = sample_of_parquet([Path(file) for file in files], columns)
    except (pa.ArrowInvalid, OSError) as err:
        raise SourceError(
            f"{label}: a part of the Parquet data is damaged: {_first_line(err)}. Copy or export it again."
        ) from err
    paths = tuple(str(file.absolute()) for file in files)
    return Look(sample, SourceTable(table_name, label, "parquet", columns, {}, paths=paths))


def _first_line(err: Exception) -> str:
    return str(err).splitlines()[0] if str(err) else type(err).__name__


_WIDER = {frozenset({"integer", "double"}): "double", frozenset({"integer", "decimal"}): "decimal", frozenset({"decimal", "double"}): "double",
          frozenset({"date", "timestamp"}): "timestamp"}  # fmt: skip


def _merged(known: tuple[RawColumn, ...], found: tuple[RawColumn, ...], first: Path, file: Path) -> tuple[RawColumn, ...]:
    """Return the columns two Parquet files share; SourceError naming the file and what differs."""
    names, others = {column.name for column in known}, {column.name: column.type for column in found}
    if names != set(others):
        raise SourceError(_other_columns(first, file, names - set(others), set(others) - names))
    merged = []
    for column in known:
        kind = others[column.name]
        wider = column.type if kind == column.type else _WIDER.get(frozenset({column.type, kind}))
        if wider is None:
            raise SourceError(
                f'{file}: column "{column.name}" is {kind}, but {column.type} in {first.name}. Wanted: one type in all files. Export them alike.'
            )
        merged.append(RawColumn(column.name, cast(Any, wider)))
    return tuple(merged)


def _other_columns(first: Path, file: Path, lacking: set[str], more: set[str]) -> str:
    parts = [
        f"it lacks {', '.join(sorted(lacking))}" if lacking else "",
        f"it also has {', '.join(sorted(more))}" if more else "",
    ]
    return (
        f"{file} has other columns than {first.name}: {' and '.join(part for part in parts if part)}. Wanted: the same columns in all "
        "files. Move it away, or give a pattern that leaves it out."
    )


def _look_at_excel(files: Sequence[Path], label: str, table_name: str, settings: TableSettings, folder: Path) -> Look:
    """Read workbooks into one table and keep it as Parquet, so that it can be read again without Excel."""
    contract = contract_named(table_name)

    def is_usable(headers: Sequence[str]) -> bool:
        try:
            match_headers(headers, contract, settings.columns, label=label)
        except SourceError:
            return False
        return True

    tables: list[pa.Table] = []
    notices: list[str] = []
    for file in files:
        table, told = read_workbook(file, settings.sheets, is_usable)
        if tables and set(table.column_names) != set(tables[0].column_names):
            have, others = set(tables[0].column_names), set(table.column_names)
            raise SourceError(_other_columns(files[0], file, have - others, others - have))
        tables.append(table)
        notices += told
    whole = pa.concat_tables(tables, promote_options="permissive")
    if whole.num_rows == 0:
        raise SourceError(f"{label} has a header line but no data. Wanted: at least one row. Save the workbook with its rows.")
    told_by = [
        table_name,
        settings.sheets,
        *((str(file.absolute()), file.stat().st_mtime_ns, file.stat().st_size) for file in files),
    ]
    digest = hashlib.sha256(repr(told_by).encode()).hexdigest()[:16]
    kept = _kept(whole.to_reader(), folder / f"{files[0].stem}-{digest}.parquet", label)
    look = _look_at_parquet([kept], label, table_name)
    return Look(look.sample, replace(look.table, notices=tuple(notices)))


# --- text --------------------------------------------------------------------------------------------------------


def _look_at_text(files: Sequence[Path], label: str, table_name: str, settings: TableSettings, folder: Path) -> Look:
    first = _header_settled(look_at(files[0], _hints(settings)), settings, table_name)
    most = max(20, MOST_SAMPLED_ROWS // len(files))
    looks = [first.with_fewer_rows(most), *(_like_first(file, first, settings).with_fewer_rows(most) for file in files[1:])]
    names = _names(first)
    if not any(file.rows for file in looks):
        raise SourceError(
            f"{label} has a header line but no data lines. It has: {', '.join(names)}. Wanted: at least one line of data. Export it again."
        )
    form, paths = _readable(looks, names, folder)
    rows = [row for file in looks for row in _in_order(file, names, first)]
    sample = sample_of_rows(names, rows, csv_as_table(paths, form))
    table = SourceTable(
        table_name,
        label,
        "csv",
        sample.columns,
        {},
        paths=tuple(str(path.absolute()) for path in paths),
        csv=form,
        notices=_told(looks),
    )
    return Look(sample, table)


def _hints(settings: TableSettings) -> TextHints:
    return TextHints(settings.delimiter, settings.encoding, settings.has_header)


def _names(file: TextFile) -> tuple[str, ...]:
    """Return the names of the columns: the header, or their places."""
    return file.header if file.header is not None else tuple(f"column {place}" for place in range(1, file.n_columns + 1))


def _header_settled(file: TextFile, settings: TableSettings, table_name: str) -> TextFile:
    """Return the file with its header decided, or ask for it where the first line is data."""
    if file.header is not None or settings.has_header is not None:
        return file
    wanted = [raw for raws in settings.columns.values() for raw in raws]
    by_place = tuple(f"column {place}" for place in range(1, file.n_columns + 1))
    if wanted and all(find_header(raw, by_place) for raw in wanted):
        return file
    if wanted and any(find_header(raw, file.first_row) for raw in wanted):
        return replace(file, header=file.first_row, rows=file.rows[1:])
    shown = ", ".join(f"{name} = {cell!r}" for name, cell in zip(by_place, file.first_row, strict=False))
    raise SourceError(
        f"{file.path} has no header line: its first line is data ({shown}). Say which column is which in genome.toml, e.g. "
        f'[tables.{table_name}] has_header = false and [tables.{table_name}.columns] customer_id = "column 1", ...; '
        "write has_header = true if the first line does name the columns."
    )


def _like_first(path: Path, first: TextFile, settings: TableSettings) -> TextFile:
    """Return a further file of a folder, its columns those of the first file."""
    hints = _hints(settings)
    near = replace(hints, has_header=first.header is not None)
    file = look_at(path, replace(near, delimiter=hints.delimiter or first.delimiter))
    if not _same_columns(file, first):
        file = look_at(path, near)
    if not _same_columns(file, first):
        have = {normal_header(name): name for name in _names(first)}
        found = {normal_header(name): name for name in _names(file)}
        lacking = {name for form, name in have.items() if form not in found}
        raise SourceError(_other_columns(first.path, path, lacking, {name for form, name in found.items() if form not in have}))
    return file


def _same_columns(file: TextFile, first: TextFile) -> bool:
    return sorted(map(normal_header, _names(file))) == sorted(map(normal_header, _names(first)))


def _readable(looks: Sequence[TextFile], names: tuple[str, ...], folder: Path) -> tuple[CsvFormat, list[Path]]:
    """Return one way of reading that holds for all files, after clean copies of those it would not hold for."""
    first = looks[0]
    delimiter = "," if first.delimiter == BLANKS else first.delimiter
    quote = first.quote or ('"' if first.delimiter == BLANKS else "")
    as_is = [
        _order(file, first) is None and file.is_readable_as_is and (file.delimiter, file.quote) == (delimiter, quote)
        for file in looks
    ]
    packings = {file.compression for file in looks}
    if not all(as_is) or len(packings) > 1:
        as_is = [fits and file.compression == "none" for fits, file in zip(as_is, looks, strict=True)]
    if not all(as_is) and not quote:
        as_is, quote = [False] * len(looks), '"'
    paths = [
        file.path if fits else clean_copy(file, folder, delimiter=delimiter, quote=quote, order=_order(file, first))
        for file, fits in zip(looks, as_is, strict=True)
    ]
    packing = first.compression if all(as_is) else "none"
    form = CsvFormat(delimiter, quote, first.header is not None, cast(Literal["none", "gzip", "zstd"], packing), names)
    return form, paths


def _order(file: TextFile, first: TextFile) -> tuple[int, ...] | None:
    """Return the places of a file's columns in the order of the first file; None when they stand in that order."""
    forms = [normal_header(name) for name in _names(file)]
    order = tuple(forms.index(normal_header(name)) for name in _names(first))
    return None if order == tuple(range(len(order))) else order


def _in_order(file: TextFile, names: Sequence[str], first: TextFile) -> Sequence[Sequence[str]]:
    order = _order(file, first)
    return file.rows if order is None else [[row[place] for place in order] for row in file.rows]


def _told(looks: Sequence[TextFile]) -> tuple[str, ...]:
    """Return what was assumed about the text."""
    notices = []
    assumed = [file.path.name for file in looks if file.is_assumed_encoding]
    if assumed:
        notices.append(
            f"{', '.join(islice(assumed, 3))}: not UTF-8, so read as Windows-1252. If letters look wrong, say `encoding` in genome.toml."
        )
    titled = [file for file in looks if file.skipped_lines]
    if titled:
        notices.append(f"{titled[0].path.name}: {titled[0].skipped_lines} line(s) above the header were left out.")
    return tuple(notices)
