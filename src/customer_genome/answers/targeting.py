"""`genome targets`: whom to contact within a budget, and whom to hold out, from what was published.

Comes in: an open version, a playbook or all, the terms, and optionally who was contacted lately. Goes out: a list with a reason
and a group per customer, and an account of it: how everybody else fell out, what it costs, what it is expected to bring, how
alike both groups are, and the smallest effect they can show. Nothing is written here.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from customer_genome.decisions.targeting import (
    BALANCED,
    MOST_RETURNED,
    Balance,
    Chosen,
    Reachable,
    Terms,
    balance_of,
    choose,
    smallest_visible_effect,
)
from customer_genome.errors import SettingsError, SourceError, did_you_mean
from customer_genome.genome import Genome

MEASURES: Mapping[str, str] = {
    "expected_value_loss": "value at risk",
    "clv_180d": "value, 180 days",
    "churn_probability": "risk",
    "total_spend": "spent so far",
    "recency_days": "days since the last order",
}
"""Measures both groups are compared in."""
FEW_CONTROLS = 20
LISTED: Sequence[str] = (
    "expected_value_loss",
    "clv_180d",
    "churn_probability",
    "clv_band",
    "churn_band",
    "priority_segment",
    "segment_name",
    "playbook",
    "recommended_action",
    "playbook_reason",
    "reason_1",
    "reason_2",
    "reason_3",
)
"""Published columns that a list carries, as far as the version has them."""


@dataclass(frozen=True)
class TargetRequest:
    """Who is wanted.

    Attributes
    ----------
    playbook : its name; empty = customers of every playbook
    contacted : customer id -> day of the last contact
    quiet_days : days that have to lie between a contact and `on`
    on : the day of the contact; None = the cutoff of the version
    condition, parameters : a further condition on the table `customers`, such as the dashboard's filters
    """

    terms: Terms
    playbook: str = ""
    contacted: Mapping[str, dt.date] = field(default_factory=dict)
    quiet_days: int = 30
    on: dt.date | None = None
    condition: str = "true"
    parameters: tuple[Any, ...] = ()


@dataclass(frozen=True)
class TargetList:
    """A list of targets with its account.

    Attributes
    ----------
    table : customer_id, group ("contact", "control"), rank, expected_gain, and `LISTED`; highest expected gain first
    funnel : (words, customers left), from all customers to those contacted
    strata : (value band, risk band, contact, control)
    notices : what the user should know, in words
    """

    table: pa.Table
    terms: Terms
    playbook: str
    on: dt.date
    funnel: tuple[tuple[str, int], ...]
    n_contact: int
    n_control: int
    cost: float
    gain: float
    value_loss: float
    balance: tuple[Balance, ...]
    strata: tuple[tuple[str, str, int, int], ...]
    expected_rate: float
    smallest_effect: float
    notices: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the account as plain values, without the list."""
        return {
            "playbook": self.playbook or None,
            "on": self.on.isoformat(),
            "terms": asdict(self.terms),
            "formula": "expected_gain = expected_value_loss * response - cost",
            "funnel": [{"step": words, "customers": count} for words, count in self.funnel],
            "contact": self.n_contact,
            "control": self.n_control,
            "cost": self.cost,
            "expected_gain": self.gain,
            "expected_value_loss": self.value_loss,
            "balance": [{name: _plain(value) for name, value in asdict(one).items()} for one in self.balance],
            "strata": [
                {"clv_band": value, "churn_band": risk, "contact": contact, "control": control}
                for value, risk, contact, control in self.strata
            ],
            "expected_order_rate": _plain(self.expected_rate),
            "smallest_visible_effect": _plain(self.smallest_effect),
            "notices": list(self.notices),
        }


def terms_for(genome: Genome, playbook: str, books: Sequence[Any], **given: Any) -> Terms:
    """Return terms with what the playbook says where the user says nothing.

    Parameters
    ----------
    books : playbooks of the file in use
    given : as `Terms`; None = not said

    Raises
    ------
    SettingsError
        When no cost is known, or a value is not possible.
    """
    book = next((one for one in books if one.name == playbook), None)
    for key, name in (("cost", "cost_per_contact"), ("response", "response")):
        if given.get(key) is None and book is not None:
            given[key] = getattr(book, name)
    if given.get("cost") is None:
        raise SettingsError(
            "No cost per contact is known. Say it with --cost, or write cost_per_contact into the playbook; 0 is allowed."
        )
    version = genome.snapshot.version
    return Terms(
        campaign=given.pop("campaign", None) or f"{playbook or 'all playbooks'} {version}",
        **{key: value for key, value in given.items() if value is not None},
    )


def targets(genome: Genome, request: TargetRequest) -> TargetList:
    """Return whom to contact and whom to hold out.

    Raises
    ------
    SettingsError
        When the playbook is not known.
    """
    name = playbook_of(genome, request.playbook)
    on = request.on or _as_of(genome)
    funnel: list[tuple[str, int]] = []
    rows = _candidates(genome, request, name, funnel)
    rows = _not_contacted(rows, request, on, funnel)
    terms = request.terms
    loss, value, risk = (_numbers(rows, column) for column in ("expected_value_loss", "clv_180d", "churn_probability"))
    ids, clv_bands, churn_bands = (rows[column].to_pylist() for column in ("customer_id", "clv_band", "churn_band"))
    chosen = choose(Reachable(ids, loss, value, risk, clv_bands, churn_bands), terms)
    funnel.append(("expected gain above 0", chosen.n_worthwhile))
    if terms.most_contacts is not None:
        funnel.append(("listed within budget and limit", len(chosen.rows)))
    table, contact = _listed(rows, chosen), ~chosen.is_control
    n_contact, n_held = int(contact.sum()), int(chosen.is_control.sum())
    if n_held:
        funnel.append(("contacted; the others are the control group", n_contact))
    measures = tuple(
        balance_of(words, _numbers(table, column), chosen.is_control)
        for column, words in MEASURES.items()
        if column in table.column_names
    )
    rate = 1 - float(np.nanmean(_numbers(table, "churn_probability"))) if table.num_rows else math.nan
    found = TargetList(
        table=table.select([column for column in table.column_names if column not in ("total_spend", "recency_days")]),
        terms=terms,
        playbook=name,
        on=on,
        funnel=tuple(funnel),
        n_contact=n_contact,
        n_control=n_held,
        cost=n_contact * terms.cost,
        gain=float(chosen.gain[contact].sum()),
        value_loss=float(_numbers(table, "expected_value_loss")[contact].sum()),
        balance=measures if n_held else (),
        strata=_strata(table, chosen),
        expected_rate=rate,
        smallest_effect=smallest_visible_effect(rate, n_contact, n_held),
        notices=(*_borrowed(genome), *_notices(terms, chosen, measures, n_contact, n_held)),
    )
    return found


def read_contacts(path: Path) -> dict[str, dt.date]:
    """Return the last contact of each customer from a CSV file with the columns customer_id and contacted_on (YYYY-MM-DD).

    Raises
    ------
    SourceError
        When the file or one of its columns cannot be read.
    """
    table = read_columns(path, ("customer_id", "contacted_on"))
    last: dict[str, dt.date] = {}
    wrong: list[str] = []
    for line, (customer_id, text) in enumerate(
        zip(*(table[name].to_pylist() for name in table.column_names), strict=True), start=2
    ):
        try:
            day = dt.date.fromisoformat((text or "")[:10])
        except ValueError:
            wrong.append(f"line {line}: {text!r}")
            continue
        if customer_id is not None:
            last[customer_id] = max(day, last.get(customer_id, day))
    if wrong:
        raise SourceError(
            f"{path}: {len(wrong):,} of {table.num_rows:,} days in contacted_on cannot be read (first: {wrong[0]}). Wanted: YYYY-MM-DD."
        )
    return last


def read_columns(path: Path, wanted: Sequence[str]) -> pa.Table:
    """Return columns of a CSV file as text, found by their names whatever the case, spaces, hyphens and underscores.

    Raises
    ------
    SourceError
        When the file cannot be read or lacks a column; near names are offered.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline()
        parse = pa_csv.ParseOptions(delimiter=max(",;\t", key=header.count))
        with pa_csv.open_csv(path, parse_options=parse) as reader:
            names = reader.schema.names
        convert = pa_csv.ConvertOptions(column_types={name: pa.string() for name in names}, strings_can_be_null=True)
        table = pa_csv.read_csv(path, parse_options=parse, convert_options=convert)
    except (OSError, UnicodeDecodeError, pa.ArrowInvalid) as err:
        said = str(err).splitlines()[0]
        raise SourceError(f"{path} cannot be read as CSV: {said}. Wanted: a header with {', '.join(wanted)}.") from err
    plain = {_bare(name): name for name in names}
    missing = [name for name in wanted if _bare(name) not in plain]
    if missing:
        near = "".join(did_you_mean(name, names) for name in missing)
        raise SourceError(
            f"{path} has no column {' and no '.join(missing)}.{near} Found: {', '.join(names)}. Wanted: {', '.join(wanted)}."
        )
    return pa.table({name: table[plain[_bare(name)]] for name in wanted})


def _bare(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def playbook_of(genome: Genome, wanted: str) -> str:
    """Return the playbook's name as published, whatever the case; empty for all.

    Raises
    ------
    SettingsError
        When there is none, with near names.
    """
    if not wanted.strip():
        return ""
    names = genome.table("playbooks")["playbook"].to_pylist()
    found = [name for name in names if name.lower() == wanted.strip().lower()]
    if not found:
        raise SettingsError(f"There is no playbook {wanted!r}.{did_you_mean(wanted, names)} Playbooks: {', '.join(names)}.")
    return str(found[0])


def _as_of(genome: Genome) -> dt.date:
    return dt.date.fromisoformat(str(genome.manifest["as_of"])[:10])


def _candidates(genome: Genome, request: TargetRequest, playbook: str, funnel: list[tuple[str, int]]) -> pa.Table:
    """Return the customers who may be contacted at all, counting how the others fell out."""
    schema = genome.query("select * from customers limit 0").column_names
    where, parameters = request.condition, list(request.parameters)
    allowed = "not coalesce(is_suppressed, false)" if "is_suppressed" in schema else "true"
    keeps = "true"
    if "return_share" in schema and genome.manifest.get("refunds", {}).get("policy") == "drop":
        keeps = f"coalesce(return_share, 0) < {MOST_RETURNED}"
    fits, name = ("playbook = ?", [playbook]) if playbook else ("true", [])
    counts = genome.query(
        f"select count(*) as n, count(*) filter (where {where}) as part, count(*) filter (where {where} and {fits}) as fitting, "
        f"count(*) filter (where {where} and {fits} and {allowed}) as reachable, "
        f"count(*) filter (where {where} and {fits} and {allowed} and {keeps}) as keeping from customers",
        [*parameters, *parameters, *name, *parameters, *name, *parameters, *name],
    ).to_pylist()[0]
    funnel.append(("customers", counts["n"]))
    if where != "true":
        funnel.append(("within the filters", counts["part"]))
    if playbook:
        funnel.append((f"in the playbook {playbook}", counts["fitting"]))
    funnel.append(("not on the suppression list", counts["reachable"]))
    if keeps != "true":
        funnel.append(("did not give back most of what they bought", counts["keeping"]))
    columns = [name_ for name_ in dict.fromkeys((*LISTED, "total_spend", "recency_days")) if name_ in schema]
    return genome.query(
        f"select customer_id, {', '.join(columns)} from customers where {where} and {fits} and {allowed} and {keeps} order by customer_id",
        [*parameters, *name],
    )


def _not_contacted(rows: pa.Table, request: TargetRequest, on: dt.date, funnel: list[tuple[str, int]]) -> pa.Table:
    """Return the customers whose last contact lies far enough back."""
    if not request.contacted:
        return rows
    since = on - dt.timedelta(days=request.quiet_days)
    # A contact after `on` counts too: nobody is written to twice because a list was made late.
    lately = {customer_id for customer_id, day in request.contacted.items() if day > since}
    kept = rows.filter(pa.array([customer_id not in lately for customer_id in rows["customer_id"].to_pylist()], pa.bool_()))
    funnel.append((f"not contacted in the {request.quiet_days} days before {on}", kept.num_rows))
    return kept


def _numbers(table: pa.Table, column: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(table[column].cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)


def _listed(rows: pa.Table, chosen: Chosen) -> pa.Table:
    """Return the list in its order, with group, rank and expected gain."""
    listed = rows.take(pa.array(chosen.rows))
    new = {
        "group": pa.array(np.where(chosen.is_control, "control", "contact").tolist(), pa.string()),
        "rank": pa.array(np.arange(1, listed.num_rows + 1), pa.int64()),
        "expected_gain": pa.array(np.round(chosen.gain, 4), pa.float64()),
    }
    for place, (name, values) in enumerate(new.items(), start=1):
        listed = listed.add_column(place, name, values)
    return listed


def _strata(table: pa.Table, chosen: Chosen) -> tuple[tuple[str, str, int, int], ...]:
    """Return contact and control per band of value and risk, the largest first."""
    counts: dict[tuple[str, str], list[int]] = {}
    for value, risk, is_control in zip(
        table["clv_band"].to_pylist(), table["churn_band"].to_pylist(), chosen.is_control.tolist(), strict=True
    ):
        counts.setdefault((value or "Unknown", risk or "Unknown"), [0, 0])[int(is_control)] += 1
    ordered = sorted(counts.items(), key=lambda item: (-sum(item[1]), item[0]))
    return tuple((value, risk, found[0], found[1]) for (value, risk), found in ordered)


def _borrowed(genome: Genome) -> tuple[str, ...]:
    """Return what to know where risk and value were learned from other shops."""
    if not genome.is_borrowed:
        return ()
    return (
        "Risk and value are borrowed from public shops: they say who comes before whom, and their money is no forecast for this shop.",
    )


def _notices(terms: Terms, chosen: Chosen, measures: Sequence[Balance], n_contact: int, n_held: int) -> tuple[str, ...]:
    """Return what the user should know about the list."""
    said = []
    if not len(chosen.rows):
        least = terms.cost / terms.response
        said.append(
            f"Nobody is worth a contact: at {terms.cost:g} each and a response of {100 * terms.response:g} %, at least {least:,.2f} has to be at stake."
        )
        return tuple(said)
    if terms.cost == 0 and terms.budget is not None:
        said.append("A contact costs nothing, so the budget sets no limit; use a limit on contacts for that.")
    if not n_held and terms.control_share > 0:
        said.append("The list is too short for a control group: its effect cannot be measured.")
    elif not n_held:
        said.append("Nobody is held out, so the effect of these contacts cannot be measured.")
    elif n_held < FEW_CONTROLS:
        said.append(
            f"{n_held} held out are few: only a very large effect will be seen. Raise the control share or list more customers."
        )
    apart = [one for one in measures if abs(one.difference) >= BALANCED] if n_held else []
    if apart:
        listed = ", ".join(f"{one.measure} ({one.difference:+.2f})" for one in apart)
        said.append(f"Contact and control differ by a tenth of a standard deviation or more in {listed}; compare with care.")
    most = terms.most_contacts
    if most is not None and n_contact < min(most, chosen.n_worthwhile):
        said.append(f"Budget and limit allow {most:,} contacts; {n_contact:,} customers are worth one and not held out.")
    return tuple(said)


def _plain(value: Any) -> Any:
    """Return not-a-number as None."""
    return None if isinstance(value, float) and math.isnan(value) else value
