"""What a refresh has to read: the part of a source that may hold new rows, described as its rows were described before.

Comes in: what the user named, the settings, and what is remembered of earlier loads. Goes out: a description of the new
part, or of nothing. Of files only new ones and the new ends of grown ones are described; databases and tables from Python
are described whole, because only their rows say what is new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from customer_genome.contracts import SourceTable
from customer_genome.errors import SourceError
from customer_genome.settings import Settings, TableSettings
from customer_genome.sources.arrivals import Arrivals, LoadedFile, find_arrivals
from customer_genome.sources.catalog import describe_side_tables, describe_sources, is_public
from customer_genome.sources.databases import is_database_address, look_at_database
from customer_genome.sources.files import look_at_arrow, look_at_files
from customer_genome.sources.places import files_at, kind_of, label_of
from customer_genome.sources.same_schema import StagedTable, described_as_before
from customer_genome.sources.text_files import TextHints, look_at

_BARE_BYTES = 1 << 16


@dataclass(frozen=True)
class NewRows:
    """What is to be read.

    Attributes
    ----------
    label : what people call the source
    lines : the part of the order lines that may be new; None where there is none
    side_tables : tables beside them, which are read anew
    arrivals : which files were found new, grown or known
    is_whole : all rows of a table were described, also those loaded before
    """

    label: str
    lines: SourceTable | None
    side_tables: dict[str, SourceTable] = field(default_factory=dict)
    arrivals: Arrivals = field(default_factory=Arrivals)
    is_whole: bool = False


def find_new_rows(data: Any, settings: Settings, before: StagedTable, known: Sequence[LoadedFile], tmp: Path) -> NewRows:
    """Return what of a source has to be read.

    Parameters
    ----------
    data : as for a run; None takes [tables.order_lines], and nothing where it names none
    before : how the order lines were read before
    known : files whose rows are loaded

    Raises
    ------
    SourceError
        When a source cannot be read, or does not look as before.
    """
    table = settings.tables.get("order_lines", TableSettings())
    if data is not None and not isinstance(data, (str, Path)):
        look = look_at_arrow(data, "order_lines", workspace_tmp=tmp)
        return NewRows(look.table.label, described_as_before(look, before, table), describe_side_tables(settings, tmp))
    given = str(data) if data else table.path
    if given is None:
        return NewRows(before.label, None, describe_side_tables(settings, tmp))
    if is_public(given):
        return _of_public(given, settings, before, known, tmp)
    side_tables = describe_side_tables(settings, tmp)
    if is_database_address(given):
        look = look_at_database(given, "order_lines", table)
        return NewRows(look.table.label, described_as_before(look, before, table), side_tables, is_whole=True)
    return replace(_of_files(given, table, before, known, tmp), side_tables=side_tables)


def _of_files(given: str, table: TableSettings, before: StagedTable, known: Sequence[LoadedFile], tmp: Path) -> NewRows:
    """Return the new files at a path and the new ends of grown ones."""
    hints = TextHints(table.delimiter, table.encoding, table.has_header)
    files = files_at(given)
    arrivals = find_arrivals(files, known, hints, tmp)
    label = label_of(given, files)
    to_read = [path for path in arrivals.files if not _is_header_only(path, hints)]
    if not to_read:
        return NewRows(label, None, arrivals=arrivals)
    look = look_at_files(to_read, label_of(given, [Path(path) for path in arrivals.read]), "order_lines", table, tmp)
    return NewRows(label, described_as_before(look, before, table), arrivals=arrivals)


def _is_header_only(path: Path, hints: TextHints) -> bool:
    """Return whether a text file has a header and no lines below it: a day without sales."""
    if path.stat().st_size > _BARE_BYTES or kind_of(path) != "text":
        return False
    form = look_at(path, hints)
    return form.header is not None and not form.rows


def _of_public(given: str, settings: Settings, before: StagedTable, known: Sequence[LoadedFile], tmp: Path) -> NewRows:
    """Return public data, which are read whole unless their files are known."""
    described = dict(describe_sources(given, settings, tmp))
    lines = described.pop("order_lines")
    if dict(lines.mapping) != dict(before.mapping):
        raise SourceError(
            f'The rows of this workspace were loaded from {before.label}, which has other columns than "{given}". '
            f"Name the source they came from, or read {given} into a workspace of its own with `genome run {given} --workspace FOLDER`."
        )
    arrivals = find_arrivals([Path(path) for path in lines.origins], known, TextHints(), tmp)
    if lines.origins and not arrivals.read:
        return NewRows(lines.label, None, described, arrivals)
    whole = Arrivals(read=lines.origins, loaded=arrivals.loaded)
    return NewRows(lines.label, lines, described, whole, is_whole=True)
