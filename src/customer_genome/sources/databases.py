"""Tables and queries in PostgreSQL and SQLite, read through ADBC as Arrow batches.

Comes in: a database address, the contract a table feeds, and the user's table settings. Goes out: a `SourceTable` whose
batches are streamed on a connection of their own each time they are asked for. Nothing is ever written: connections are
read-only. A password may stand in the address or in the environment (PGPASSWORD, ~/.pgpass); it is never shown.

Types that Arrow does not know (uuid, enum, numeric, json ...) are read as text by the database itself. SQLite gives every
value a type of its own, so each column is looked through once and read as whole numbers, numbers or text.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

import pyarrow as pa

from customer_genome.contracts import SourceTable
from customer_genome.errors import SourceError, did_you_mean
from customer_genome.settings import TableSettings
from customer_genome.sources.files import Look, contract_named, describe_look, look_at_arrow

_SCHEMES: Final = {"postgresql": "postgresql", "postgres": "postgresql", "sqlite": "sqlite"}
_USER_AND_PASSWORD: Final = re.compile(r"^([^:]+://[^:/?#@]*):(.*)@")
_PASSWORD_OPTION: Final = re.compile(r"([?&](?:ssl)?password=)([^&]*)")
_KNOWN_POSTGRES_TYPES: Final = frozenset(
    ("int2", "int4", "int8", "float4", "float8", "text", "varchar", "bool", "date", "timestamp", "timestamptz")
)
_SQLITE_TYPES: Final = {"integer": "1", "real": "1.5", "text": "'x'"}
_NOISE: Final = re.compile(r"^[A-Z_]+: (\[\w+\] )?|\.? ?SQLSTATE: \w+|(\. Query was| query): select .*$")
_CONNECT_SECONDS: Final = "15"


@dataclass(frozen=True)
class _Database:
    """An address, taken apart: how it is opened, what it is called, what must not be shown of it."""

    kind: str
    shown: str
    address: str = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def connect(self) -> Any:
        """Open a read-only connection."""
        driver = _driver(self.kind)
        try:
            connection = driver.connect(self.address)
            if self.kind == "postgresql":
                with closing(connection.cursor()) as cursor:
                    cursor.execute("set transaction isolation level repeatable read, read only")
        except driver.Error as err:
            raise SourceError(
                f"{self.shown} cannot be opened: {self.said(err)}. "
                "Check the address, that the server is reachable, the user and the password (PGPASSWORD or in the address)."
            ) from None
        return connection

    def said(self, err: BaseException) -> str:
        """Return what a driver said, on one line, without secrets."""
        text = _NOISE.sub("", " ".join(str(err).split())).removesuffix(".")
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return text


def is_database_address(text: str) -> bool:
    """Return whether a path setting is the address of a database.

    Examples
    --------
    >>> [is_database_address(text) for text in ("postgresql://me@host/shop", "sqlite:///shop.db", "C:/lines.csv", "mysql://x/y")]
    [True, True, False, True]
    """
    scheme, separator, _ = text.partition("://")
    return bool(separator) and len(scheme) > 1 and scheme.replace("+", "").isalnum()


def without_password(uri: str) -> str:
    """Return a database address that can be shown: passwords replaced by ***.

    Examples
    --------
    >>> without_password("postgresql://me:secret@host:5432/shop?sslmode=require&password=other")
    'postgresql://me:***@host:5432/shop?sslmode=require&password=***'
    """
    hidden = _PASSWORD_OPTION.sub(r"\1***", uri)
    return _USER_AND_PASSWORD.sub(r"\1:***@", hidden)


def describe_database(uri: str, table_name: str, settings: TableSettings) -> SourceTable:
    """Describe a table or query in a database.

    Parameters
    ----------
    uri : str
        postgresql://user@host/database or sqlite:///path/of/the/file.db
    table_name : str
        The contract it feeds: order_lines, customers, ...
    settings : TableSettings
        `query` (a select), or `table` (with or without its schema); without both, a table called like the contract.

    Returns
    -------
    SourceTable
        Format "arrow"; `batches` opens a new connection each time.

    Raises
    ------
    SourceError
        Driver missing, database unreachable, table unknown or empty, columns that cannot be matched.
    """
    return describe_look(look_at_database(uri, table_name, settings), table_name, settings)


def look_at_database(uri: str, table_name: str, settings: TableSettings) -> Look:
    """Return a table or query found readable, with a sample of its values."""
    contract_named(table_name)
    database = _database(uri)
    label, names, plan = _planned(database, table_name, settings)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SourceError(f"{label}: the column {repeated[0]!r} comes twice. Give each column of the query a name of its own.")
    return look_at_arrow(plan.batches, table_name, label)


@dataclass(frozen=True)
class _Plan:
    """How a table is read: the select and, for SQLite, a first row that fixes the types and is dropped again."""

    database: _Database
    sql: str
    schema: pa.Schema
    has_type_row: bool
    label: str

    def batches(self) -> pa.RecordBatchReader:
        """Stream the rows on a connection of their own."""
        return pa.RecordBatchReader.from_batches(self.schema, self._rows())

    def _rows(self) -> Iterator[pa.RecordBatch]:
        to_skip = 1 if self.has_type_row else 0
        connection = self.database.connect()
        try:
            with closing(connection), closing(connection.cursor()) as cursor:
                if self.database.kind == "sqlite":
                    cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": "65536"})
                cursor.execute(self.sql)
                for batch in cursor.fetch_record_batch():
                    rows, to_skip = batch.slice(to_skip), 0
                    if rows.num_rows:
                        yield pa.record_batch(rows.columns, schema=self.schema)
        except (_driver(self.database.kind).Error, OSError) as err:
            raise SourceError(f"{self.label}: reading stopped: {self.database.said(err)}. Run again.") from None


def _planned(database: _Database, table_name: str, settings: TableSettings) -> tuple[str, list[str], _Plan]:
    """Find the table or query, its columns and how each of them is read."""
    with closing(database.connect()) as connection, closing(connection.cursor()) as cursor:
        label = database.shown
        try:
            if settings.query is not None:
                relation, label = f"(\n{settings.query.strip().rstrip(';')}\n) as source", f"query in {database.shown}"
            else:
                relation, name = _found_table(database, cursor, settings.table or table_name)
                label = f"table {name} in {database.shown}"
            planned = _plan_postgres if database.kind == "postgresql" else _plan_sqlite
            names, plan = planned(database, cursor, relation, label)
        except _driver(database.kind).Error as err:
            raise SourceError(
                f"{label} cannot be read: {database.said(err)}. Wanted: one select, and the right to read its tables."
            ) from None
    return label, names, plan


def _plan_postgres(database: _Database, cursor: Any, relation: str, label: str) -> tuple[list[str], _Plan]:
    """Read known types as they are, numeric and money as numbers, all others as text."""
    schema = cursor.adbc_execute_schema(f"select * from {relation}")
    names = list(schema.names)
    if len(set(names)) < len(names):
        return names, _Plan(database, "", schema, False, label)
    sql = f"select {', '.join(_postgres_read(field) for field in schema)} from {relation}"
    plain = pa.schema([pa.field(field.name, field.type) for field in cursor.adbc_execute_schema(sql)])
    return names, _Plan(database, sql, plain, False, label)


def _postgres_read(field: pa.Field) -> str:
    """Return how one column is selected: numeric(p, 0) holds ids and counts, other numerics hold money and measures."""
    about = field.metadata or {}
    kind, name = about.get(b"POSTGRESQL:type", b"").decode(), _quoted(field.name)
    if kind in _KNOWN_POSTGRES_TYPES:
        return name
    if kind == "money":
        return f"cast(cast({name} as numeric) as double precision) as {name}"
    if kind != "numeric":
        return f"cast({name} as text) as {name}"
    modifier = int(about.get(b"POSTGRESQL:typmod", b"-1")) - 4
    if modifier < 0 or modifier & 0x7FF:
        return f"cast({name} as double precision) as {name}"
    return f"cast({name} as {'bigint' if modifier >> 16 <= 18 else 'text'}) as {name}"


def _plan_sqlite(database: _Database, cursor: Any, relation: str, label: str) -> tuple[list[str], _Plan]:
    """Read each column as the narrowest type that holds all of its values."""
    cursor.execute(f"select * from {relation} limit 0")
    names = list(cursor.fetch_record_batch().schema.names)
    if len({name.casefold() for name in names}) < len(names):
        return names, _Plan(database, "", pa.schema([]), False, label)
    kinds = []
    for start in range(0, len(names), 200):
        asked = ", ".join(f"group_concat(distinct typeof({_quoted(name)}))" for name in names[start : start + 200])
        cursor.execute(f"select {asked} from {relation}")
        kinds += [_sqlite_type(set((text or "").split(","))) for text in cursor.fetchone()]
    first = ", ".join(f"{_SQLITE_TYPES[kind]} as {_quoted(name)}" for name, kind in zip(names, kinds, strict=True))
    reads = ", ".join(f"cast({_quoted(name)} as {kind})" for name, kind in zip(names, kinds, strict=True))
    arrow = {"integer": pa.int64(), "real": pa.float64(), "text": pa.string()}
    schema = pa.schema([(name, arrow[kind]) for name, kind in zip(names, kinds, strict=True)])
    return names, _Plan(database, f"select {first} union all select {reads} from {relation}", schema, True, label)


def _sqlite_type(found: set[str]) -> str:
    """Return the narrowest type that holds values of the types found."""
    found = found - {"null", ""}
    if found == {"integer"}:
        return "integer"
    return "real" if found and found <= {"integer", "real"} else "text"


def _found_table(database: _Database, cursor: Any, wanted: str) -> tuple[str, str]:
    """Return the quoted name of a table and what it is called, from the tables the user may see."""
    if database.kind == "postgresql":
        cursor.execute(
            "select n.nspname, c.relname, pg_table_is_visible(c.oid) from pg_class as c join pg_namespace as n on n.oid = c.relnamespace "
            "where c.relkind in ('r', 'v', 'm', 'p', 'f') and n.nspname not in ('pg_catalog', 'information_schema') "
            "and n.nspname not like 'pg\\_t%' order by 1, 2"
        )
    else:
        cursor.execute(
            "select '', name, 1 from sqlite_master where type in ('table', 'view') and name not like 'sqlite\\_%' escape '\\'"
        )
    tables = [(schema, name, bool(visible)) for schema, name, visible in cursor.fetchall()]
    same = [table for table in tables if wanted == f"{table[0]}.{table[1]}"] or [table for table in tables if table[1] == wanted]
    same = [table for table in same if table[2]] or same
    if not same and database.kind == "sqlite":
        same = [table for table in tables if table[1].casefold() == wanted.casefold()]
    if len(same) == 1:
        schema, name, _ = same[0]
        return (f"{_quoted(schema)}.{_quoted(name)}", f"{schema}.{name}") if schema else (_quoted(name), name)
    known = [f"{schema}.{name}" if schema and not visible else name for schema, name, visible in tables]
    if same:
        found = " and ".join(f"{schema}.{name}" for schema, name, _ in same)
        raise SourceError(f'table "{wanted}" is ambiguous in {database.shown}: {found}. Write it with its schema in `table`.')
    shown = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "") if known else "none that this user may see"
    raise SourceError(
        f'no table "{wanted}" in {database.shown}.{did_you_mean(wanted, known)} Tables there: {shown}. '
        "Name it with `table`, or write a `query`, under [tables.*] in genome.toml."
    )


def _database(uri: str) -> _Database:
    """Take an address apart."""
    scheme = uri.partition("://")[0].lower()
    plain = scheme.partition("+")[0]
    if plain not in _SCHEMES:
        raise SourceError(
            f"{without_password(uri)}: databases of kind {scheme!r} cannot be read.{did_you_mean(scheme, _SCHEMES)} "
            "Wanted: postgresql://user@host/database or sqlite:///path.db; from other databases export Parquet or CSV."
        )
    return _sqlite_database(uri) if plain == "sqlite" else _postgres_database(uri)


def _postgres_database(uri: str) -> _Database:
    """Name a PostgreSQL database by host and database, and set a limit to the time that connecting may take."""
    parts = urlsplit("postgresql" + uri[uri.index("://") :])
    given = [match.group(2) for match in (_USER_AND_PASSWORD.match(uri), *_PASSWORD_OPTION.finditer(uri)) if match]
    forms = {form for secret in given if secret for form in (secret, unquote(secret), quote(unquote(secret), safe=""))}
    secrets = tuple(sorted(forms, key=len, reverse=True))
    host = parts.netloc.rpartition("@")[2] or dict(parse_qsl(parts.query)).get("host", "this machine")
    query = (
        parts.query
        if "connect_timeout=" in parts.query
        else "&".join(filter(None, (parts.query, f"connect_timeout={_CONNECT_SECONDS}")))
    )
    name = unquote(parts.path.removeprefix("/")) or "(default)"
    return _Database("postgresql", f"PostgreSQL database {name} at {host}", urlunsplit(parts._replace(query=query)), secrets)


def _sqlite_database(uri: str) -> _Database:
    """Find the file of sqlite:///relative.db, sqlite:////absolute.db or sqlite:///absolute.db, as a read-only address."""
    text = uri[uri.index("://") + 3 :].removeprefix("/")
    spellings = [text, unquote(text), unquote(text.partition("?")[0])]
    places = [Path(root + spelling) for spelling in spellings if spelling for root in ("", "/")]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise SourceError(f"{uri}: there is no such file. Wanted: sqlite:///path/of/the/file.db (relative to here, or absolute).")
    with path.open("rb") as file:
        head = file.read(16)
    if head and not head.startswith(b"SQLite format 3"):
        raise SourceError(
            f"{path} is no SQLite database (it does not begin like one). Name it without sqlite:// if it is a CSV or Parquet file."
        )
    return _Database("sqlite", f"SQLite file {path}", f"file:{quote(str(path.resolve()))}?mode=ro")


def _driver(kind: str) -> Any:
    """Return the ADBC driver of a kind of database."""
    try:
        return importlib.import_module(f"adbc_driver_{kind}.dbapi")
    except ImportError as err:
        raise SourceError(
            f"Reading from {kind} needs the driver adbc-driver-{kind}, which is not installed. "
            'Install it with: pip install "customer-genome[sql]"'
        ) from err


def _quoted(name: str) -> str:
    """Return a name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
