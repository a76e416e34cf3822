"""Playbooks: who gets which action, by rules a marketer can read and change.

Comes in: a parsed playbook file as plain values, and an Arrow table of customers with facts and predictions. Goes out:
for every customer one playbook, one sentence that says what to do, and the reason; for every playbook how many it fits.
The first playbook whose rules all hold takes the customer. This module must not read files or settings, and evaluates no text.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from customer_genome.contracts import CUSTOMER_FACTS
from customer_genome.decisions.conditions import Condition, Figure, figures_wanted, holds, parse_condition
from customer_genome.decisions.contradictions import contradiction
from customer_genome.decisions.customers import BoolArray, Customers, IntArray
from customer_genome.decisions.rule_reasons import reason_of
from customer_genome.decisions.wording import ACT_BY, Template, fill, parse_template
from customer_genome.errors import ContractError, SettingsError, did_you_mean

PREDICTED_COLUMNS: tuple[str, ...] = (
    "horizon_days",
    "p_alive",
    "predicted_orders",
    "predicted_spend",
    "spend_lower",
    "spend_upper",
    "clv_180d",
    "clv_lower",
    "clv_upper",
    "churn_probability",
    "next_order_on",
    "next_order_lower",
    "next_order_upper",
    "clv_band",
    "churn_band",
    "confidence_score",
    "expected_value_loss",
    "priority_segment",
    "recency_score",
    "frequency_score",
    "monetary_score",
    "rfm_segment",
    "cluster_kmeans",
    "cluster_hierarchical",
    "cluster_gmm",
    "segment_name",
    "is_home_country",
    "spend_lower",
    "spend_upper",
    "reliability",
    "risk_basis",
)
PROFILE_FACTS: tuple[str, ...] = ("tenure_months", "monthly_spend", "support_tickets")
"""What a profile of customers may tell beside totals."""
KNOWN_COLUMNS: frozenset[str] = frozenset((*CUSTOMER_FACTS.names, *PREDICTED_COLUMNS, *PROFILE_FACTS))
"""Columns a run can produce: a playbook that needs one this data does not have is switched off; any other name is a fault."""

_REQUIRED: Mapping[str, type] = {
    "name": str,
    "priority": int,
    "who": str,
    "when": list,
    "do": list,
    "measure": list,
    "channel": str,
    "cost": str,
    "action": str,
}
_OPTIONAL: Mapping[str, tuple[float, float, str]] = {
    "cost_per_contact": (0.0, float("inf"), "money of the shop's currency from 0 on, such as 1.5"),
    "response": (0.0, 1.0, "a share from 0 to 1, such as 0.05"),
}
"""Keys a playbook may have: the least and the most they can be, and what is wanted."""
STANDS_IN = "only_without"
"""A key a playbook may have: the columns in whose place it stands."""
MARK = "|"
"""Stands around every name in `Assignment.matching`."""


@dataclass(frozen=True)
class Playbook:
    """What to do with one kind of customer.

    Attributes
    ----------
    priority : int
        The lowest number whose rules hold takes the customer.
    who : who they are, in a sentence
    when : the rules, all of which must hold; none = everybody, allowed only for the last playbook
    do, measure : what to do, and by which figures to judge it
    channel, cost : how they are reached, and what it roughly costs
    action : the customer's own sentence, with placeholders
    cost_per_contact : money for reaching one customer; None = to be said with a target list
    response : share of the value at risk that a contact is assumed to keep; None likewise
    only_without : columns in whose place this playbook stands: where the data have one of them, it takes no part
    """

    name: str
    priority: int
    who: str
    when: tuple[Condition, ...]
    do: tuple[str, ...]
    measure: tuple[str, ...]
    channel: str
    cost: str
    action: Template
    cost_per_contact: float | None = None
    response: float | None = None
    only_without: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns its rules need."""
        return tuple(dict.fromkeys(column for condition in self.when for column in condition.columns))


class Assignment(NamedTuple):
    """Per customer: the playbook, what to do, why, and every playbook that fits ("|Lapsing Customers|Keep in Touch|").

    Arrow string arrays of shape (n_customers,), never null.
    """

    playbook: pa.StringArray
    recommended_action: pa.StringArray
    reason: pa.StringArray
    matching: pa.StringArray


@dataclass(frozen=True)
class PlaybookCheck:
    """What a playbook does to these customers.

    Attributes
    ----------
    n_matches : int
        Customers its rules hold for.
    n_assigned : int
        Those that no earlier playbook took.
    overlaps : other playbook -> customers that both fit (the last playbook, which fits everybody, is left out)
    switched_off : why it takes no part, or an empty text
    """

    name: str
    priority: int
    n_matches: int
    n_assigned: int
    overlaps: Mapping[str, int] = field(default_factory=dict)
    switched_off: str = ""


# --- file to playbooks -----------------------------------------------------------------------------------------


def parse_playbooks(document: Mapping[str, Any], label: str = "playbooks.toml") -> tuple[Playbook, ...]:
    """Return the playbooks of a parsed file, by priority.

    Parameters
    ----------
    document : mapping
        With a list `playbook` of tables; see docs/playbooks.md.
    label : str
        What the file is called in messages.

    Raises
    ------
    SettingsError
        Listing every fault with its playbook and rule.
    """
    faults = [f"{key} is not known here.{did_you_mean(key, ['playbook'])}" for key in document if key != "playbook"]
    entries = document.get("playbook", [])
    if not isinstance(entries, list) or not entries:
        faults.append("no [[playbook]] found")
        entries = []
    found = [_playbook(entry, number, faults) for number, entry in enumerate(entries, start=1)]
    playbooks = sorted((playbook for playbook in found if playbook is not None), key=lambda playbook: playbook.priority)
    if not faults:
        faults.extend(_faults_together(playbooks))
    if faults:
        raise SettingsError(
            f"{label}: {len(faults)} fault(s).\n" + "\n".join(f"- {fault}" for fault in faults) + "\nSee docs/playbooks.md."
        )
    return tuple(playbooks)


def _playbook(entry: Any, number: int, faults: list[str]) -> Playbook | None:
    """Return one playbook, or None after noting its faults."""
    if not isinstance(entry, Mapping):
        faults.append(f"playbook {number}: wanted a table, found {entry!r}")
        return None
    where = (
        f'playbook "{entry["name"]}"' if isinstance(entry.get("name"), str) and entry["name"].strip() else f"playbook {number}"
    )
    before = len(faults)
    known = {**_REQUIRED, **_OPTIONAL, STANDS_IN: list}
    faults.extend(f"{where}: {key} is not known.{did_you_mean(key, known)}" for key in entry if key not in known)
    found = (
        [_fault_of(entry, key, type_) for key, type_ in _REQUIRED.items()]
        + [_fault_of_number(entry, key) for key in _OPTIONAL]
        + ([_fault_of(entry, STANDS_IN, list)] if STANDS_IN in entry else [])
    )
    faults.extend(f"{where}: {fault}" for fault in found if fault)
    if len(faults) > before:
        return None
    conditions = _conditions(entry["when"], where, faults)
    never = contradiction(conditions) if len(conditions) == len(entry["when"]) else ""
    if never:
        faults.append(f"{where}: {never}; change or remove one of its rules")
    try:
        action = parse_template(entry["action"])
    except SettingsError as err:
        faults.append(f"{where}, action: {err}")
        return None
    return Playbook(
        name=entry["name"].strip(),
        priority=entry["priority"],
        who=entry["who"].strip(),
        when=conditions,
        do=tuple(entry["do"]),
        measure=tuple(entry["measure"]),
        channel=entry["channel"].strip(),
        cost=entry["cost"].strip(),
        action=action,
        only_without=tuple(entry.get(STANDS_IN, ())),
        **{key: float(entry[key]) for key in _OPTIONAL if key in entry},
    )


def _fault_of(entry: Mapping[str, Any], key: str, type_: type) -> str:
    """Return what is wrong with one key of a playbook, or an empty text."""
    if key not in entry:
        return f"{key} is missing"
    value = entry[key]
    if not isinstance(value, type_) or isinstance(value, bool):
        return (
            f"{key} = {value!r}: wanted {'a list of texts' if type_ is list else 'a whole number' if type_ is int else 'a text'}"
        )
    if isinstance(value, str) and not value.strip():
        return f"{key} is empty"
    if key == "name" and isinstance(value, str) and MARK in value:
        return f"name = {value!r}: wanted a name without {MARK}"
    if isinstance(value, list) and not all(isinstance(item, str) and item.strip() for item in value):
        return f"{key} = {value!r}: wanted a list of texts"
    if key in ("do", "measure") and not value:
        return f"{key} is empty: wanted at least one entry"
    return ""


def _fault_of_number(entry: Mapping[str, Any], key: str) -> str:
    """Return what is wrong with a number that a playbook may have, or an empty text."""
    value, (least, most, wanted) = entry.get(key, 0), _OPTIONAL[key]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return "" if is_number and least <= value <= most else f"{key} = {value!r}: wanted {wanted}"


def _conditions(rules: Sequence[str], where: str, faults: list[str]) -> tuple[Condition, ...]:
    """Return the rules of a playbook, noting those that cannot be read."""
    conditions = []
    for number, rule in enumerate(rules, start=1):
        try:
            conditions.append(parse_condition(rule))
        except SettingsError as err:
            faults.append(f"{where}, rule {number}: {err}")
    return tuple(conditions)


def _faults_together(playbooks: Sequence[Playbook]) -> Iterable[str]:
    """Yield what is wrong with the playbooks as a whole: doubled names or priorities, no last one for everybody else."""
    for key in ("name", "priority"):
        values = [getattr(playbook, key) for playbook in playbooks]
        for value in sorted({value for value in values if values.count(value) > 1}, key=str):
            yield f"{values.count(value)} playbooks have {key} {value!r}: wanted each once"
    for playbook in playbooks[:-1]:
        if not playbook.when:
            yield f'playbook "{playbook.name}" has no rules and takes everybody, but is not the last: give it the highest priority number, or rules'
    if playbooks[-1].when:
        yield f'the last playbook, "{playbooks[-1].name}", must take everybody else: wanted one more with the highest priority and when = []'


# --- playbooks to customers ------------------------------------------------------------------------------------


def wanted_figures(playbooks: Sequence[Playbook], customers: Customers) -> tuple[Figure, ...]:
    """Return every figure of all customers that the rules compare with; a table without rows is enough to tell.

    Raises
    ------
    SettingsError
        When a rule compares a column with another kind of value, naming its playbook.
    """
    wanted: dict[str, Figure] = {}
    for playbook in playbooks:
        try:
            wanted |= {figure.key: figure for figure in figures_wanted(playbook.when, customers)}
        except SettingsError as err:
            raise SettingsError(f'playbook "{playbook.name}": {err}') from err
    return tuple(wanted.values())


def assign(
    playbooks: Sequence[Playbook],
    table: pa.Table,
    *,
    currency: str = "",
    figures: Mapping[str, float],
    known: frozenset[str],
    unsized: frozenset[str] = frozenset(),
) -> Assignment:
    """Give every customer the first playbook that fits, the action in their own facts, and the reason.

    A batch gets what it would get among all customers, of whom `figures` and `known` tell.

    Parameters
    ----------
    playbooks : from `parse_playbooks`
    table : Arrow table, one row per customer
        Facts and predictions; a null or NaN never matches a rule.
    currency : str
        Code of the money in sentences ("GBP"); empty = bare numbers.
    figures : mapping
        Those of `wanted_figures` over all customers, by key.
    known : frozenset of str
        The columns that say something about at least one of all customers, bands and segment names among them.
    unsized : frozenset of str
        Columns that rules may use and no sentence may quote.

    Raises
    ------
    SettingsError
        When a rule or action names a column nobody knows, or compares text with a number.
    ContractError
        When figures or known columns are not those of all customers.
    """
    customers = Customers(table, known)
    _refuse_contradictions(playbooks, customers)
    _refuse_missing_figures(playbooks, customers, figures)
    matches = _matches(playbooks, customers, figures)
    place = _first(matches, len(customers))
    rows_of = [np.flatnonzero(place == number) for number in range(len(playbooks))]
    quotable = Customers(table, known - unsized)
    names, actions, reasons = [], [], []
    for playbook, rows in zip(playbooks, rows_of, strict=True):
        names.append(pa.repeat(playbook.name, len(rows)))
        actions.append(fill(playbook.action, quotable, rows, currency))
        reasons.append(reason_of(playbook.when, customers, rows, figures, currency, unsized))
    back = pa.array(np.argsort(np.concatenate(rows_of), kind="stable"))
    taken, told, why = (
        pa.concat_arrays([piece.cast(pa.string()) for piece in pieces]).take(back) for pieces in (names, actions, reasons)
    )
    return Assignment(taken, told, why, _matching(playbooks, matches))


def _matching(playbooks: Sequence[Playbook], matches: Sequence[BoolArray]) -> pa.StringArray:
    """Return the names of all playbooks that fit each customer, each different set put together once."""
    bits = [fits.astype(np.int64) << (number % _BITS) for number, fits in enumerate(matches)]
    codes = np.stack([sum(bits[start : start + _BITS]) for start in range(0, len(bits), _BITS)], axis=1)
    if codes.shape[1] == 1:  # numbers sort ten times faster than rows
        _, first, place = np.unique(codes[:, 0], return_index=True, return_inverse=True)
    else:
        _, first, place = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    fitting = [[book.name for book, fits in zip(playbooks, matches, strict=True) if fits[row]] for row in first]
    names = [f"{MARK}{MARK.join(found)}{MARK}" if found else MARK for found in fitting]
    return pa.array(names, pa.string()).take(pa.array(place.reshape(-1)))


_BITS = 60
"""Playbooks whose matches are put together into one whole number."""


def check(playbooks: Sequence[Playbook], counts: Mapping[str, int], known: frozenset[str]) -> tuple[PlaybookCheck, ...]:
    """Return, per playbook, how many customers it fits and takes, which others it overlaps, and whether it is switched off.

    Parameters
    ----------
    counts : mapping
        Customers per different text of `Assignment.matching`.
    known : frozenset of str
        The columns that say something about at least one customer.
    """
    sets = [(frozenset(text.strip(MARK).split(MARK)), count) for text, count in counts.items()]
    checks = []
    for number, playbook in enumerate(playbooks):
        fitting = [(names, count) for names, count in sets if playbook.name in names]
        earlier = {other.name for other in playbooks[:number]}
        others = [other.name for other in playbooks if other.when and playbook.when and other is not playbook]
        overlaps = {name: sum(count for names, count in fitting if name in names) for name in others}
        checks.append(
            PlaybookCheck(
                playbook.name,
                playbook.priority,
                sum(count for _, count in fitting),
                sum(count for names, count in fitting if not names & earlier),
                {name: count for name, count in overlaps.items() if count},
                switched_off(playbook, known),
            )
        )
    return tuple(checks)


def switched_off(playbook: Playbook, known: Container[str]) -> str:
    """Return why a playbook takes no part, or an empty text."""
    missing = [column for column in playbook.columns if column not in known]
    if missing:
        return f"this data has no {' and no '.join(missing)}"
    there = [column for column in playbook.only_without if column in known]
    return f"this data has {' and '.join(there)}, and it stands in where that is missing" if there else ""


def in_use(playbooks: Sequence[Playbook], known: Container[str]) -> tuple[Playbook, ...]:
    """Return the playbooks without those that only stand in for others and are switched off here."""
    return tuple(book for book in playbooks if not (book.only_without and switched_off(book, known)))


def matching_of(
    playbooks: Sequence[Playbook], table: pa.Table, figures: Mapping[str, float], known: frozenset[str]
) -> pa.StringArray:
    """Return `Assignment.matching` alone, for those who only count; raises as `assign` does."""
    return _matching(playbooks, _matches(playbooks, Customers(table, known), figures))


def _matches(playbooks: Sequence[Playbook], customers: Customers, figures: Mapping[str, float]) -> list[BoolArray]:
    """Return the rows each playbook fits; none for those that are switched off."""
    _refuse_unknown_columns(playbooks, customers)
    matches = []
    for playbook in playbooks:
        is_on = all(customers.has(column) for column in playbook.columns)
        is_on = is_on and not any(customers.has(column) for column in playbook.only_without)
        fits = np.full(len(customers), is_on)
        if is_on:
            for number, condition in enumerate(playbook.when, start=1):
                try:
                    fits &= holds(condition, customers, figures)
                except SettingsError as err:
                    raise SettingsError(f'playbook "{playbook.name}", rule {number}: {err}') from err
        matches.append(fits)
    return matches


def _refuse_unknown_columns(playbooks: Sequence[Playbook], customers: Customers) -> None:
    """Raise for names that are neither in the table nor ever made by a run, with near names."""
    known = sorted({*KNOWN_COLUMNS, *customers.table.column_names})
    faults: list[str] = []
    for playbook in playbooks:
        for number, condition in enumerate(playbook.when, start=1):
            faults.extend(
                f'playbook "{playbook.name}", rule {number} `{condition}`: there is no column {column}.{did_you_mean(column, known)}'
                for column in condition.columns
                if not _is_known(column, known)
            )
        faults.extend(
            f'playbook "{playbook.name}", {STANDS_IN}: there is no column {column}.{did_you_mean(column, known)}'
            for column in playbook.only_without
            if not _is_known(column, known)
        )
        faults.extend(
            f'playbook "{playbook.name}", action: there is no column {column}.{did_you_mean(column, [*known, ACT_BY])}'
            for column in playbook.action.columns
            if not _is_known(column, known)
        )
    if faults:
        raise SettingsError("Playbooks name columns that do not exist:\n" + "\n".join(f"- {fault}" for fault in faults))


def _refuse_contradictions(playbooks: Sequence[Playbook], customers: Customers) -> None:
    """Raise where a batch has values in a column that was said to be empty: its playbooks would be switched off for nothing."""
    needed = {column for playbook in playbooks for column in (*playbook.columns, *playbook.action.columns)}
    batch = Customers(customers.table)
    wrong = [column for column in sorted(needed) if not customers.has(column) and batch.has(column)]
    if wrong:
        raise ContractError(
            f"playbooks: {', '.join(wrong)} has values in this batch and is not among the known columns. "
            "Wanted: the columns of the table that holds bands and segment names too."
        )


def _refuse_missing_figures(playbooks: Sequence[Playbook], customers: Customers, figures: Mapping[str, float]) -> None:
    """Raise where a rule compares with a figure that was not handed in: it would never hold."""
    missing = [figure.key for figure in wanted_figures(playbooks, customers) if figure.key not in figures]
    if missing:
        raise ContractError(
            f"playbooks: no figure for {', '.join(missing)}. Wanted: the figures of all customers for these playbooks."
        )


def _is_known(column: str, known: Sequence[str]) -> bool:
    return column in known or column.startswith("category_share_")


def _first(matches: Sequence[BoolArray], n: int) -> IntArray:
    """Return the position of the first playbook that fits each customer; the last fits everybody."""
    place = np.full(n, len(matches) - 1, dtype=np.int64)
    for number in range(len(matches) - 1, -1, -1):
        place[matches[number]] = number
    return place
