"""A new file, from handing it in to the run: its columns as a form, where its rows would go, and the run itself.

Comes in: a file of the visitor. Goes out: a run of exactly what was previewed (interfaces/serving/uploads.py, previews.py, child_runs.py). In
the session there is nothing but the choices; the file lies in the workspace, so that it outlives a change of page.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import streamlit as st

from customer_genome.errors import GenomeError
from customer_genome.interfaces.dashboard.cards import show_cards
from customer_genome.interfaces.dashboard.markup import aside, money_in_markdown, plain
from customer_genome.interfaces.dashboard.running import ONLY_ADMIN, begin
from customer_genome.interfaces.serving.child_runs import latest
from customer_genome.interfaces.serving.previews import (
    MOST_ROWS,
    TABLES,
    Draft,
    Field,
    Preview,
    Reading,
    Table,
    preview,
    propose_mapping,
    recipe_of,
    words_of,
    write_mapping,
)
from customer_genome.interfaces.serving.uploads import ENDINGS, MOST_MB, MOST_UNPACKED_MB, Upload, draft, receive, release
from customer_genome.interfaces.views.figures import count, day, money, quantity, share
from customer_genome.interfaces.views.row_classes import CLASS_WORDS, TOTALS_WORDS
from customer_genome.snapshot import versions
from customer_genome.workspace import Workspace

NOT_IN_FILE = "– not in the file –"
BY_FILE = "as the file shows"
DATE_ORDERS = {"": BY_FILE, "dmy": "day first (31/12/2024)", "mdy": "month first (12/31/2024)", "ymd": "year first (2024-12-31)"}
DECIMAL_MARKS = {"": BY_FILE, ".": "point (1,234.50)", ",": "comma (1.234,50)"}
DELIMITERS = {"": BY_FILE, ",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
ENCODINGS = {"": BY_FILE, "utf-8": "UTF-8", "cp1252": "Windows-1252", "latin-1": "Latin-1", "utf-16": "UTF-16"}
_EITHER = {"price": "amount", "amount": "price"}
_MOST_EXAMPLE = 24
_COUNTER, _REFUSED, _CHOSEN = "new_file_number", "new_file_refused", "new_file_chosen"


def show_new_file(place: Workspace, role: str) -> None:
    """Show what is to be done next: hand in, map and preview, or wait for the run."""
    if role != "admin":
        st.info(f"A new file can be handed in by the role admin; you are signed in as {plain(role)}. {ONLY_ADMIN}")
        return
    run = latest(place)
    given = draft(place)
    if run is not None and run.is_running:
        st.markdown(aside("A new file can be handed in when the run above has ended."))
        return
    if given is None:
        _hand_in(place)
    else:
        _map(place, given)


# --- handing in ----------------------------------------------------------------------------------------------------------


def _hand_in(place: Workspace) -> None:
    """Take a file."""
    st.subheader("Hand in a file", anchor=False)
    st.markdown(
        "Each row is a line of an order, or a customer with totals. The least that works is who, when and how much. "
        "You see what would be kept before anything is run."
    )
    number = st.session_state.setdefault(_COUNTER, 0)
    found = st.file_uploader(
        f"CSV and other delimited text, Parquet or Excel, up to {MOST_MB} MB",
        type=list(ENDINGS),
        max_upload_size=MOST_MB,
        key=f"new_file_{number}",
    )
    st.markdown(
        aside(
            f"Packed files and workbooks: up to {MOST_UNPACKED_MB:,} MB unpacked. The file is kept on this machine, in a folder of the workspace that only "
            "its owner can read, until another takes its place. Larger files are read where they are: `genome run FILE`."
        )
    )
    if found is None:
        return
    refused = st.session_state.get(_REFUSED, ("", ""))
    if refused[0] != found.file_id:
        try:
            with st.spinner("Looking at the file …"):
                receive(place, found.name, found)
        except GenomeError as err:
            refused = (found.file_id, str(err))
            st.session_state[_REFUSED] = refused
        else:
            st.session_state[_COUNTER] = number + 1  # a new field, so that the server lets the bytes go
            st.rerun()
    st.error(plain(refused[1]), icon=":material/error:")


# --- mapping ---------------------------------------------------------------------------------------------------------------


@st.cache_data(max_entries=4, show_spinner="Looking at the file …")
def _proposed(_upload: Upload, upload_id: str, table: Table | None, reading: Reading) -> Draft:
    """Return what a file is taken for."""
    return propose_mapping(_upload, table, reading)


@st.cache_data(max_entries=4, show_spinner="Classing the rows …")
def _previewed(
    _upload: Upload,
    _place: Workspace,
    upload_id: str,
    table: Table,
    columns: Mapping[str, tuple[str, ...]],
    reading: Reading,
    has_header: bool | None,
) -> Preview:
    """Return where the rows of a file would go."""
    return preview(_upload, _place, table, columns, reading, has_header)


def _map(place: Workspace, given: Upload) -> None:
    """Let the visitor say which column is which, and show what comes of it."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(given.name)}** · {_size(given.size)}", width="stretch")
        if st.button("Remove this file", key="remove_file", help="Deletes it from the workspace; nothing has been run with it."):
            release(place)
            st.rerun()
    reading = _reading(given)
    wanted = st.session_state.get(f"rows_are_{given.upload_id}")
    try:
        found = _proposed(given, given.upload_id, wanted, reading)
    except GenomeError as err:
        st.error("**This file cannot be read as a table.**", icon=":material/error:")
        st.code(words_of(given, err), language=None, wrap_lines=True)
        return
    table = st.segmented_control(
        "Each row is",
        list(TABLES),
        default=found.table,
        required=True,
        key=f"rows_are_{given.upload_id}",
        format_func=lambda name: TABLES[name],
    )
    if found.looks_like not in TABLES:
        st.warning(
            f"By its columns this looks like {plain(found.looks_like)}: {plain(found.reason)}. A run begins with order lines or customers with totals."
        )
    columns, is_asked = _form(given, found)
    _say_unused(table, columns, found)
    missing = [] if is_asked else _missing(table, columns)
    if missing:
        st.info(f"Still needed: {plain(', '.join(missing))}. Choose the columns in the form.", icon=":material/edit:")
        return
    _show_preview(place, given, table, columns, reading, found)


def _reading(given: Upload) -> Reading:
    """Let the visitor say how dates, numbers and text are written, where the file cannot tell."""
    with st.expander("How dates and numbers are written"):
        st.markdown(aside("The file itself mostly tells. Where it cannot, the preview asks, and here is the place to answer."))
        grid = st.grid(4, min_column_width=170, gap="small")
        chosen = {}
        for name, label, words in (
            ("date_order", "Dates", DATE_ORDERS),
            ("decimal_mark", "Decimal mark", DECIMAL_MARKS),
            ("delimiter", "Between columns", DELIMITERS),
            ("encoding", "Letters", ENCODINGS),
        ):
            chosen[name] = grid.selectbox(label, list(words), format_func=words.__getitem__, key=f"{name}_{given.upload_id}")
    return Reading(**{name: str(value) for name, value in chosen.items()})


def _say_unused(table: Table, columns: Mapping[str, tuple[str, ...]], found: Draft) -> None:
    """Say what becomes of the columns that are mapped to nothing."""
    used = {header for headers in columns.values() for header in headers}
    unused = [header for header in found.headers if header not in used]
    if unused:
        fate = "Come along as facts about customers" if table == "customer_totals" else "Not used"
        more = f" and {count(len(unused) - 20)} more" if len(unused) > 20 else ""
        st.markdown(aside(f"{fate}: {plain(', '.join(unused[:20]))}{more}."))


def _missing(table: Table, columns: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return what a run cannot do without, and no column was taken for."""
    if table == "customer_totals":
        return [] if columns.get("customer_id") else ["customer id"]
    missing = [name.replace("_", " ") for name in ("customer_id", "ordered_at") if not columns.get(name)]
    return missing if columns.get("price") or columns.get("amount") else [*missing, "price or amount"]


def _form(given: Upload, found: Draft) -> tuple[dict[str, tuple[str, ...]], bool]:
    """Show the mapping as a form, filled in by header matching; return what was last asked for, and whether anything was."""
    marks = (given.upload_id, found.table)
    columns = {one.name: one.headers for one in found.fields}
    with st.form(f"mapping_{given.upload_id}_{found.table}", border=True):
        st.markdown("**Which column is which?** Filled in by the headers; correct what is wrong.")
        grid = st.grid(3, min_column_width=210, gap="small")
        for one in found.fields:
            columns[one.name] = _field(grid, one, found, f"map_{given.upload_id}_{found.table}_{one.name}")
        asked = st.form_submit_button("Show what would be kept", type="primary")
    if asked:
        st.session_state[_CHOSEN] = (marks, columns)
    kept_marks, kept = st.session_state.get(_CHOSEN, ((), {}))
    if kept_marks == marks:
        return kept, True
    return {one.name: one.headers for one in found.fields}, False


def _field(grid: object, one: Field, found: Draft, key: str) -> tuple[str, ...]:
    """Show one column of the contract; return the headers chosen for it."""
    words = one.name.replace("_", " ")
    label = f"{words} (needed)" if one.is_required else f"{words} (this or {_EITHER[one.name]})" if one.name in _EITHER else words
    remark = f" {plain(one.remark)}." if one.remark and one.headers else ""
    meaning = f"{plain(one.about)}.{remark}" + (
        " Needed." if one.is_required else f" Without it: {plain(one.remark)}." if one.remark and not one.headers else ""
    )
    with grid.container():  # type: ignore[attr-defined]
        if len(one.headers) > 1:
            return tuple(st.multiselect(label, list(found.headers), default=list(one.headers), key=key, help=meaning))
        options = [NOT_IN_FILE, *found.headers]
        index = options.index(one.headers[0]) if one.headers else 0
        chosen = st.selectbox(
            label, options, index, key=key, help=meaning, format_func=lambda header: _with_examples(header, found)
        )
    return () if chosen in (None, NOT_IN_FILE) else (str(chosen),)


def _with_examples(header: str, found: Draft) -> str:
    """Return a header with some of its values."""
    examples = ", ".join(found.headers.get(header, ())[:2])
    examples = examples if len(examples) <= _MOST_EXAMPLE else "".join(found.headers[header][:1])
    return f"{header}  ({examples})" if examples else header


# --- what would become of it, and the run -------------------------------------------------------------------------------------


def _show_preview(
    place: Workspace, given: Upload, table: Table, columns: Mapping[str, tuple[str, ...]], reading: Reading, found: Draft
) -> None:
    """Show where the rows would go, or what is missing; then offer the run."""
    try:
        seen = _previewed(given, place, given.upload_id, table, columns, reading, found.has_header)
    except GenomeError as err:
        st.error("**A run would stop here.**", icon=":material/error:")
        st.code(words_of(given, err), language=None, wrap_lines=True)
        return
    st.subheader("What would be kept", anchor=False)
    if not seen.is_whole:
        st.markdown(aside(f"Judged by the first {count(MOST_ROWS)} rows; the run reads all of them."))
    _show_cards(seen)
    _show_classes(seen, table)
    st.markdown("**Some rows, as they were read**")
    st.dataframe(
        _filled(seen.rows), hide_index=True, height="content", alt="The first rows of the file and some that would not count, as they were read.",
        column_config={"row_number": st.column_config.NumberColumn("Row", format="%d"), "row_class": "Goes to"},
    )  # fmt: skip
    for notice in seen.notices:
        st.markdown(f":gray-badge[● to know] {plain(notice)}")
    _offer(place, given, table, columns, reading, found, seen)


def _filled(rows: pa.Table) -> pa.Table:
    """Return rows without the columns that hold nothing."""
    return rows.drop_columns([name for name in rows.column_names if rows.column(name).null_count == rows.num_rows])


def _show_cards(seen: Preview) -> None:
    """Show the preview in figures."""
    cards = st.grid(4, min_column_width=148, gap="small")
    show_cards(cards, (
        ("Rows", count(seen.n_rows), "looked at", "Rows that were looked at."),
        ("Would count", share(seen.kept / seen.n_rows) if seen.n_rows else "–", f"{count(seen.kept)} rows", "Rows that a run would keep."),
        ("Customers", count(seen.customers), "among these rows", "Different customers among the rows that would count."),
    ))  # fmt: skip
    if seen.first_day and seen.last_day:
        length = (seen.last_day - seen.first_day).days + 1
        reach = f"{day(seen.first_day)} to {day(seen.last_day)}"
        show_cards(cards, (("Days", count(length), reach, "From the first to the last row that would count."),))


def _show_classes(seen: Preview, table: Table) -> None:
    """Show the classes of the preview."""
    words = TOTALS_WORDS if table == "customer_totals" else CLASS_WORDS
    rows = sorted(seen.classes, key=lambda row: (row["row_class"] != "kept", -row["n_rows"]))
    st.dataframe(
        pa.table(
            {
                "class": [row["row_class"].replace("_", " ") for row in rows],
                "words": [words.get(row["row_class"], "") for row in rows],
                "rows": [int(row["n_rows"]) for row in rows],
                "share": [row["n_rows"] / seen.n_rows for row in rows],
                "money": [money(float(row["revenue"])) for row in rows],
            }
        ),
        hide_index=True,
        height="content",
        column_config={
            "class": "Goes to",
            "words": "What it is",
            "rows": st.column_config.NumberColumn("Rows", format="%,d"),
            "share": st.column_config.NumberColumn("Share", format="percent", step=0.001),
            "money": st.column_config.TextColumn("Money, signed", alignment="right"),
        },
        alt="Where the rows of the file would go, by class.",
    )


def _offer(
    place: Workspace,
    given: Upload,
    table: Table,
    columns: Mapping[str, tuple[str, ...]],
    reading: Reading,
    found: Draft,
    seen: Preview,
) -> None:
    """Offer the run of what was previewed."""
    if not seen.kept:
        st.error("No row would count, so there is nothing to run. Correct the columns in the form.", icon=":material/error:")
        return
    if versions(place):
        st.markdown(
            "The run publishes a new version made of **this file alone**; the version before stays and can be looked at. To add rows to the data that are "
            "there, use `genome refresh FILE`."
        )
    if st.button("Run with this file", type="primary", key="run_file"):
        try:
            mapping = write_mapping(given, table, columns, reading, found.has_header)
            begin(recipe_of(given, table, mapping).arguments(place.root), f"New file {given.name}", given.upload_id)
        except GenomeError as err:
            st.error(money_in_markdown(plain(err)))


def _size(size: int) -> str:
    """Return a number of bytes for people."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{max(size / 1e3, 0.1):.1f} kB" if size else quantity(0, "bytes")
