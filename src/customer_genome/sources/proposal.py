"""What `genome init FILE` proposes: which table a file is, which column is which, and how sure that is.

Comes in: a path. Goes out: a `Proposal`, and genome.toml as text, commented so that it can be corrected by hand.
Nothing is written here, and nothing is decided for the user: what the data leave open becomes a question in the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from customer_genome.contracts import INPUT_TABLES, LABELS, SUMS, Contract
from customer_genome.errors import AskError, SourceError
from customer_genome.settings import TableSettings
from customer_genome.sources.customer_level import WITHOUT as TOTALS_WITHOUT
from customer_genome.sources.databases import is_database_address, without_password
from customer_genome.sources.files import Look, look_at_path
from customer_genome.sources.headers import HeaderMatch, near_headers
from customer_genome.sources.meaning import match_by_values, understand
from customer_genome.sources.samples import Sample
from customer_genome.sources.text_formats import find_order, looks_like_number

Certainty = Literal["sure", "unsure", "missing"]

WITHOUT: Mapping[str, Mapping[str, str]] = {
    "order_lines": {
        "customer_id": "nothing can be computed without it",
        "ordered_at": "nothing can be computed without it",
        "order_id": "one order is then one customer at one time, and the duplicate rule is off",
        "product_id": "product facts and recommendations, the duplicate rule and netting of refunds are off",
        "description": "categories cannot be made from keywords in product names",
        "quantity": "every line counts as one piece",
        "price": "money is then the amount",
        "amount": "money is then quantity x price",
        "country": "facts and charts by country are off",
        "category": "category shares come from keyword rules over descriptions, or are off",
        "discount": "the share of spend bought at a discount is off",
        "currency": "all money is taken to be in one currency",
        "status": "cancellations are known only by their order number or a negative quantity",
    },
    "customer_totals": {
        "customer_id": "nothing can be computed without it",
        "total_orders": "it follows from total_spend and avg_order_value; two of the three are needed",
        "total_spend": "it follows from total_orders and avg_order_value; two of the three are needed",
        "avg_order_value": "it follows from total_spend and total_orders; two of the three are needed",
        **TOTALS_WITHOUT,
        "country": "charts by country are off",
        "cluster": "clusters are made from the totals",
        "churn_label": "risk is learned from other shops, or from this workspace's order lines",
        "spend_label": "value to come is learned from other shops, or from this workspace's order lines",
    },
    "products": {"description": "products are shown by their id", "category": "category shares are off"},
    "ratings": {"rated_at": "ratings cannot be split by time for evaluation"},
    "items": {"title": "items are shown by their id", "category": "genres are off"},
}
"""What is switched off when a column is absent."""


@dataclass(frozen=True)
class ColumnProposal:
    """One contract column: the headers proposed for it, examples, and how sure that is, with the reason or the effect."""

    name: str
    about: str
    headers: tuple[str, ...]
    examples: tuple[str, ...]
    certainty: Certainty
    reason: str


@dataclass(frozen=True)
class Proposal:
    """What a file is taken to be.

    Attributes
    ----------
    settings : TableSettings
        What had to be assumed to read the file at all (no header line, for one).
    questions : what only the user can answer, as sentences
    unused : (header, examples) of the columns nothing is read from
    """

    path: str
    table: str
    reason: str
    columns: tuple[ColumnProposal, ...]
    settings: TableSettings
    questions: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    unused: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def is_complete(self) -> bool:
        """Return whether a run could start from the proposal without an answer from the user."""
        required = INPUT_TABLES[self.table].required
        missing = {column.name for column in self.columns if column.certainty == "missing"}
        has_money = self.table != "order_lines" or not {"amount", "price"} <= missing
        return not self.questions and has_money and not missing & set(required)

    def as_json(self) -> dict[str, Any]:
        """Return the proposal as plain values."""
        return {
            "path": self.path,
            "table": self.table,
            "reason": self.reason,
            "is_complete": self.is_complete,
            "columns": [asdict(column) for column in self.columns],
            "questions": list(self.questions),
            "notices": list(self.notices),
            "unused": {header: list(examples) for header, examples in self.unused},
        }


def propose(
    path: str | Path,
    workspace_tmp: Path,
    *,
    table: str | None = None,
    settings: TableSettings | None = None,
    today: date | None = None,
) -> Proposal:
    """Look at a file and propose the table it is and the meaning of its columns.

    Parameters
    ----------
    path : file, folder or glob
    table : the table it is, when the user says so; otherwise it is recognised from headers and values

    Raises
    ------
    SourceError
        The file cannot be read at all, or it is the address of a database (shown without its password).
    """
    _refuse_database(str(path))
    settings = settings or TableSettings()
    latest_year = (today or date.today()).year + 1
    look, settings, is_headerless = _looked_at(path, workspace_tmp, table or "order_lines", settings, latest_year)
    if table is not None:
        name, reason = table, "as you said"
    elif is_headerless:
        name, reason = "order_lines", "there is no header line to tell"
    else:
        name, reason = recognise(look.sample, settings, look.table.label, latest_year)
    contract = INPUT_TABLES[name]
    match, passed_over = match_by_values(look.sample, contract, settings, look.table.label, latest_year, is_proposal=True)
    lacks_money = name == "order_lines" and not {"amount", "price"} & set(match.mapping)
    columns = tuple(_column(contract, column.name, match, look.sample, is_headerless) for column in contract.columns)
    if lacks_money:
        columns = tuple(
            replace(column, reason=_with_nearest(column, "money is missing")) if column.name in ("amount", "price") else column
            for column in columns
        )
    found = Proposal(
        path=str(path),
        table=name,
        reason=reason,
        columns=columns,
        settings=settings,
        notices=(*look.table.notices, *passed_over),
        unused=tuple((header, _examples(look.sample, [header])) for header in match.unmapped),
    )
    return replace(found, questions=(_MONEY_MISSING,) if lacks_money else _questions(found, look, contract, today))


_MONEY_MISSING = (
    "Money is missing: a run needs amount (money for the line) or price (money for one piece), and no column was taken for either. "
    'Write amount = "..." under [tables.order_lines.columns] with the column that holds it; if there is none, add one to the file.'
)


def _with_nearest(column: ColumnProposal, effect: str) -> str:
    """Return the headers that were nearest to a missing column, with another effect of its absence."""
    nearest = column.reason.partition("; ")[0]
    return f"{nearest}; {effect}" if nearest.startswith("nearest: ") else effect


_COLLAPSED_ADDRESS = re.compile(r"^(postgres(?:ql)?|sqlite)((?:\+\w+)?):/+", re.IGNORECASE)


def _refuse_database(path: str) -> None:
    """Refuse the address of a database, also one whose slashes a `Path` took away: proposals are made from files."""
    address = _COLLAPSED_ADDRESS.sub(r"\1\2://", path)
    if is_database_address(address):
        raise SourceError(
            f"{without_password(address)} is the address of a database; columns are proposed for files only. Write it by hand in "
            'genome.toml: under [tables.order_lines] path = "postgresql://user@host/database" (or "sqlite:///path.db") and '
            'table = "..." or query = "select ...", the password in PGPASSWORD; then run `genome run`.'
        )


def _looked_at(
    path: str | Path, tmp: Path, table: str, settings: TableSettings, latest_year: int
) -> tuple[Look, TableSettings, bool]:
    """Look at a file; where it has no header line, propose the columns by their values."""
    try:
        return look_at_path(path, table, settings, tmp), settings, False
    except SourceError as err:
        if "has no header line" not in str(err):
            raise
    bare = replace(settings, has_header=False)
    look = look_at_path(path, table, bare, tmp)
    guessed = {name: (header,) for name, header in guess_by_values(look.sample, latest_year).items()}
    return look, replace(bare, columns=guessed), True


def guess_by_values(sample: Sample, latest_year: int) -> dict[str, str]:
    """Return customer, time, amount and quantity of order lines guessed from values alone.

    The time is the first column that reads as times, the amount the last one with decimals, the customer the first of
    the others that is no decimal number. A guess, to be confirmed by the user.
    """
    guess: dict[str, str] = {}
    for header in sample.names:
        values = sample.values[header]
        is_number = bool(values) and all(looks_like_number(value) for value in values)
        has_decimals = is_number and any(mark in value for value in values for mark in ".,")
        finding = find_order(values, latest_year)
        if values and finding.n_unread == 0 and finding.possible and "ordered_at" not in guess:
            guess["ordered_at"] = header
        elif has_decimals:
            guess["amount"] = header
        elif "customer_id" not in guess:
            guess["customer_id"] = header
        elif is_number and "ordered_at" in guess and "quantity" not in guess:
            guess["quantity"] = header
    return guess


# --- which table it is ---------------------------------------------------------------------------------------------


def recognise(sample: Sample, settings: TableSettings, label: str, latest_year: int) -> tuple[str, str]:
    """Return the table a source most likely is, and why."""
    found = {
        name: set(match_by_values(sample, contract, settings, label, latest_year, is_proposal=True)[0].mapping)
        for name, contract in INPUT_TABLES.items()
    }
    lines = found["order_lines"]
    if {"customer_id", "item_id", "rating"} <= found["ratings"]:
        return "ratings", "it has customers, items and ratings"
    if {"customer_id", "ordered_at"} <= lines and {"amount", "price"} & lines:
        return "order_lines", "it has customers, times and money"
    totals = found["customer_totals"]
    if "customer_id" in totals and (len(totals & set(SUMS)) >= 2 or totals & set(LABELS)):
        return "customer_totals", "each row is a customer with totals" if totals & set(
            SUMS
        ) else "each row is a customer with a label"
    if {"promotion_id", "starts_on", "ends_on"} <= found["promotions"]:
        return "promotions", "it has campaigns with a first and a last day"
    if "customer_id" in found["customers"] and _is_key(sample, INPUT_TABLES["customers"], settings, label, latest_year):
        if len(sample.names) == 1:
            return "suppressions", "it has customers and nothing else; say table = customers if they are not to be left alone"
        return "customers", "each customer stands once, with columns that describe them"
    if "product_id" in found["products"] and {"description", "category"} & found["products"]:
        return "products", "it has products with names or categories"
    if "item_id" in found["items"] and {"title", "category"} & found["items"]:
        return "items", "it has items with titles or genres"
    return "order_lines", "nothing else fits; order lines are what a run needs first"


def _is_key(sample: Sample, contract: Contract, settings: TableSettings, label: str, latest_year: int) -> bool:
    """Return whether the key of a table does not repeat within the sample."""
    match, _ = match_by_values(sample, contract, settings, label, latest_year, is_proposal=True)
    values = sample.values[match.mapping[contract.key[0]][0]]
    return len(set(values)) == len(values)


# --- columns -------------------------------------------------------------------------------------------------------


def _column(contract: Contract, name: str, match: HeaderMatch, sample: Sample, is_headerless: bool) -> ColumnProposal:
    """Return what is proposed for one contract column."""
    column = contract.column(name)
    if name not in match.mapping:
        near = near_headers(column, match.unmapped)
        effect = WITHOUT.get(contract.name, {}).get(
            name, "nothing can be computed without it" if name in contract.required else ""
        )
        reason = f"nearest: {', '.join(near)}" if near else effect
        return ColumnProposal(
            name, column.about, (), (), "missing", "; ".join(part for part in (reason, effect if near else "") if part)
        )
    headers = match.mapping[name]
    doubt = "guessed from the values, there is no header" if is_headerless else match.unsure.get(name, "")
    return ColumnProposal(name, column.about, headers, _examples(sample, headers), "unsure" if doubt else "sure", doubt)


def _examples(sample: Sample, headers: Sequence[str], most: int = 3) -> tuple[str, ...]:
    """Return a few different values of columns, shortened."""
    values = dict.fromkeys(value for header in headers for value in sample.values[header][:200])
    return tuple(value if len(value) <= 30 else value[:29] + "…" for value in list(values)[:most])


def _questions(proposal: Proposal, look: Look, contract: Contract, today: date | None) -> tuple[str, ...]:
    """Return what a run would ask for."""
    if not proposal.is_complete:
        return ()
    answered = proposal.settings
    questions: list[str] = []
    for _ in range(2):  # the order of day and month, then the decimal mark
        try:
            understand(look.sample, contract, answered, look.table.label, today)
        except AskError as err:
            questions.append(str(err))
            is_about_times = "date_order" in str(err)
            answered = replace(answered, date_order="dmy") if is_about_times else replace(answered, decimal_mark=".")
        except SourceError as err:
            return (*questions, str(err))
        else:
            break
    return tuple(questions)


# --- genome.toml ---------------------------------------------------------------------------------------------------


def toml_text(text: str) -> str:
    """Return a text as a TOML basic string.

    Examples
    --------
    >>> print(toml_text('12" "RULER" \\\\ é'))
    "12\\" \\"RULER\\" \\\\ é"
    """
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    parts = [
        escapes.get(letter) or (f"\\u{ord(letter):04X}" if ord(letter) < 32 or ord(letter) == 127 else letter) for letter in text
    ]
    return '"' + "".join(parts) + '"'


def render_toml(proposal: Proposal, workspace: Path | None = None) -> str:
    """Return a commented genome.toml that holds a proposal.

    Parameters
    ----------
    workspace : Path
        The folder genome.toml will lie in: a file inside it is named relative to it, any other by its whole path.
        Without it, the path is written as it was given.
    """
    parts = [
        "# Settings of this Customer Genome workspace. Lines that begin with # are comments: correct what is wrong, uncomment what you need.",
        f"# {_comment(Path(proposal.path).name)} was taken to be {proposal.table}: {_comment(proposal.reason)}.",
        "",
        f"[tables.{proposal.table}]",
        f"path = {toml_text(_named(proposal.path, workspace))}",
        *_reading_lines(proposal),
        "",
        f"[tables.{proposal.table}.columns]",
        *(_column_line(column) for column in proposal.columns),
        *_unused_lines(proposal),
        "",
        *_other_tables(proposal.table),
        *_OTHER_SETTINGS,
    ]
    return "\n".join(parts) + "\n"


def _named(path: str, workspace: Path | None) -> str:
    """Return how genome.toml in `workspace` names a path."""
    if workspace is None:
        return path
    whole, home = Path(path).expanduser().absolute(), workspace.absolute()
    return f"./{whole.relative_to(home).as_posix()}" if whole.is_relative_to(home) else str(whole)


def _comment(text: str) -> str:
    """Return text that can stand in a TOML comment."""
    return "".join(letter if ord(letter) >= 32 and ord(letter) != 127 else " " for letter in text)


def _reading_lines(proposal: Proposal) -> list[str]:
    """Return how the file is read, with what the user has to answer."""
    settings = proposal.settings
    lines = []
    if settings.has_header is not None:
        lines.append(f"has_header = {str(settings.has_header).lower()}")
    for key in ("delimiter", "encoding", "date_order", "decimal_mark"):
        value = getattr(settings, key)
        if value is not None:
            lines.append(f"{key} = {toml_text(value)}")
    if settings.sheets:
        lines.append(f"sheets = [{', '.join(toml_text(sheet) for sheet in settings.sheets)}]")
    for question in proposal.questions:
        lines.append(f"# PLEASE ANSWER: {_comment(question)}")
        if "date_order" in question:
            lines.append('# date_order = "dmy"    # or "mdy" or "ymd"')
        if "decimal_mark" in question:
            lines.append('# decimal_mark = "."    # or ","')
    lines.extend(f"# Note: {_comment(notice)}" for notice in proposal.notices)
    return lines


def _column_line(column: ColumnProposal) -> str:
    """Return the line of one contract column: set when a header was found, commented when not.

    Ids of customers are personal data and are not copied into a file of settings.
    """
    if column.certainty == "missing":
        return f'# {column.name} = "..."    # {_comment(column.about)}; not found: {_comment(column.reason)}'
    texts = [toml_text(header) for header in column.headers]
    value = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    examples = "; e.g. " + (", ".join(toml_text(example) for example in column.examples) or "no values")
    doubt = f"PLEASE CHECK: {_comment(column.reason)}; " if column.certainty == "unsure" else ""
    return f"{column.name} = {value}    # {doubt}{_comment(column.about)}{'' if column.name == 'customer_id' else examples}"


def _unused_lines(proposal: Proposal) -> list[str]:
    if not proposal.unused:
        return []
    becomes = " (they come along as features)" if INPUT_TABLES[proposal.table].extra_columns else ""
    shown = ", ".join(toml_text(header) for header, _ in proposal.unused[:40]) + (", ..." if len(proposal.unused) > 40 else "")
    return [f"# Not mapped{becomes}: {shown}"]


def _other_tables(table: str) -> list[str]:
    """Return commented sections for the tables a shop may add."""
    lines = ["# Further tables, each with path and columns as above:"]
    for name, contract in INPUT_TABLES.items():
        if name != table:
            lines += [f"# [tables.{name}]    # {contract.grain}", '# path = "..."']
    return [*lines, ""]


_OTHER_SETTINGS = (
    "# [shop]",
    '# currency = "EUR"',
    '# home_country = "Germany"',
    '# timezone = "Europe/Berlin"    # times with an offset are brought to it; times without one are taken to be local',
    "#",
    "# [cleaning]",
    '# refunds = "drop"    # or "net": a cancellation reduces the earlier purchase',
)
