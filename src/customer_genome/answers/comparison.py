"""What changed between two published versions: customers, segments, value and risk, and which facts moved them.

Comes in: two open `Genome`s. Goes out: a `Comparison`: totals that reconcile to the last digit, a migration matrix with
customers and money, why value changed, the largest moves with the facts behind them, and what differs between the two runs.
Customers are matched in SQL; no list of all of them is ever held in Python. Nothing here writes or words a sentence.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

from customer_genome.errors import SettingsError, SnapshotError, did_you_mean
from customer_genome.genome import Genome
from customer_genome.snapshot import versions
from customer_genome.workspace import Workspace

GROUPS = ("segment_name", "rfm_segment", "clv_band", "churn_band", "playbook", "priority_segment")
"""What customers may be grouped by in the migration matrix."""
MEASURES = ("customers", "n_orders", "total_spend", "clv_180d", "expected_value_loss")
"""What the totals add up, in this order; money from `total_spend` on."""
REASONS = ("new", "gone", "ordered", "fewer", "revised", "quiet", "same")
"""Why a customer's figures moved, by their facts: first match wins."""
UNKNOWN = "Unknown"
_FACTS: Mapping[str, str] = {
    "n_orders": "bigint",
    "total_spend": "double",
    "last_order_on": "date",
    "recency_days": "bigint",
    "mean_order_value": "double",
    "unique_products": "bigint",
    "returned_value": "double",
}
_PREDICTIONS: Mapping[str, str] = {"clv_180d": "double", "churn_probability": "double", "expected_value_loss": "double"}
_EXACT = "decimal(38, 4)"
"""Money is added up in ten-thousandths, so that sums are exact in whatever order they are taken."""
_SECTIONS_THAT_MOVE_NUMBERS = ("cleaning", "features", "prediction", "segments", "shop")
_SETTINGS_THAT_DO_NOT = frozenset({"shop.name", "cleaning.on_bad_rows"})


@dataclass(frozen=True)
class Version:
    """One side of a comparison."""

    version: str
    as_of: dt.date
    horizon_days: int
    customers: int


@dataclass(frozen=True)
class Difference:
    """Something that differs between the two runs and moves numbers by itself."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Move:
    """One customer's move, with every fact of both versions."""

    customer_id: str
    reason: str
    group_before: str
    group_after: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def changed_facts(self) -> tuple[str, ...]:
        """The facts that differ, in the order of `before`."""
        return tuple(name for name in self.before if name in _FACTS and self.before[name] != self.after[name])

    def change(self, name: str) -> float:
        """Return after - before of a figure; what is not known counts as 0."""
        return float(self.after[name] or 0) - float(self.before[name] or 0)


@dataclass(frozen=True)
class Comparison:
    """What changed from one version to another.

    Attributes
    ----------
    group : str
        The column customers are grouped by in `migration`.
    totals : list of dict, one per measure of MEASURES
        before, new, gone, rose, fell (changes of those who stayed, fell <= 0), after: Decimals, and
        before + new - gone + rose + fell = after exactly.
    migration : list of dict, one per pair of groups that has customers
        group_before (None: new customers), group_after (None: gone), customers, clv_before, clv_after, spend_before,
        spend_after, loss_before, loss_after.
    reasons : list of dict, one per reason that has customers
        reason, customers, clv_before, clv_after, spend_before, spend_after, loss_before, loss_after.
    value_up, value_down, risk_up, risk_down : moves of customers in both versions, the largest first
        Value by the change of clv_180d; risk by the change of churn_probability times the larger of the two values.
    differences : what differs between the runs beside the data
    refitted : bool, whether the models of the two versions were fitted apart
    missing : columns that one of the versions does not publish
    """

    before: Version
    after: Version
    group: str
    currency: str
    totals: Sequence[Mapping[str, Any]]
    migration: Sequence[Mapping[str, Any]]
    reasons: Sequence[Mapping[str, Any]]
    value_up: Sequence[Move]
    value_down: Sequence[Move]
    risk_up: Sequence[Move]
    risk_down: Sequence[Move]
    differences: Sequence[Difference]
    refitted: bool
    missing: Sequence[str]

    def customers(self, status: str) -> int:
        """Return how many customers are "new", "gone", "stayed" or "moved" (stayed, but in another group)."""
        found = 0
        for cell in self.migration:
            one, other = cell["group_before"], cell["group_after"]
            kinds = {
                "new": one is None,
                "gone": other is None,
                "stayed": one is not None and other is not None,
                "moved": one is not None and other is not None and one != other,
            }
            found += cell["customers"] if kinds[status] else 0
        return found

    def total(self, measure: str) -> Mapping[str, Any]:
        """Return the line of `totals` of a measure."""
        return next(line for line in self.totals if line["measure"] == measure)

    def as_json(self) -> dict[str, Any]:
        """Return plain values; money as numbers with four decimals at most."""
        plain: dict[str, Any] = _plain(asdict(self))
        counts = {status: self.customers(status) for status in ("new", "gone", "stayed", "moved")}
        for name in ("value_up", "value_down", "risk_up", "risk_down"):
            for shown, move in zip(plain[name], getattr(self, name), strict=True):
                shown["changed_facts"] = list(move.changed_facts)
        return plain | {"counts": counts}


def two_versions(workspace: Workspace, before: str | None = None, after: str | None = None) -> tuple[str, str]:
    """Return the versions to compare: by default the current one and the one before it.

    Raises
    ------
    SnapshotError
        When there are not two different versions to compare.
    """
    with Genome.open(workspace, after) as genome:
        newer = genome.snapshot.version
    older = before or previous_version(workspace, newer)
    if older is None:
        raise SnapshotError(
            f"{workspace.root} holds nothing older than {newer}, so there is nothing to compare. "
            "Run `genome run` or `genome refresh` when new data are there; each run publishes a version, and the newest ones are kept."
        )
    if older == newer:
        raise SnapshotError(
            f"Both sides are {newer}, so nothing can differ. Name two versions; published: {', '.join(versions(workspace))}."
        )
    return older, newer


def previous_version(workspace: Workspace, version: str) -> str | None:
    """Return the newest published version before `version`, None where there is none."""
    return max((name for name in versions(workspace) if name < version), default=None)


def compare_with_previous(genome: Genome, *, group: str = "segment_name", most: int = 10) -> Comparison | None:
    """Return what changed since the version published before an open one; None where there is none."""
    workspace = Workspace(genome.snapshot.folder.parent.parent)
    older = previous_version(workspace, genome.snapshot.version)
    if older is None:
        return None
    with Genome.open(workspace, older) as before:
        return compare(before, genome, group=group, most=most)


def compare(before: Genome, after: Genome, *, group: str = "segment_name", most: int = 10) -> Comparison:
    """Compare two open versions.

    Parameters
    ----------
    group : str
        One of GROUPS.
    most : int, >= 0
        How many customers each list of moves holds.

    Raises
    ------
    SettingsError
        When `group` is not among GROUPS or not published, or `most` is negative.
    """
    if group not in GROUPS:
        raise SettingsError(f"Group {group!r} is not known.{did_you_mean(group, GROUPS)} Wanted: one of {', '.join(GROUPS)}.")
    if most < 0:
        raise SettingsError(f"The number of customers to list is {most}. Wanted: 0 or more.")
    known = [_columns(genome) for genome in (before, after)]
    missing = tuple(sorted(name for name in (group, *_FACTS, *_PREDICTIONS) if not all(name in side for side in known)))
    with tempfile.TemporaryDirectory() as spill, duckdb.connect(":memory:", config={"temp_directory": spill}) as connection:
        for name, genome, columns in zip(("before", "after"), (before, after), known, strict=True):
            rows = genome.batches(f"select {_selected(group, columns)} from customers")
            connection.register("rows", rows)
            connection.execute(f'create table "{name}" as select * from "rows"')
            connection.unregister("rows")
        connection.execute(_PAIRS)
        lists = {name: _moves(connection, order, most) for name, order in _LISTS.items()}
        return Comparison(
            before=_version(before),
            after=_version(after),
            group=group,
            currency=after.currency,
            totals=tuple(_totals(connection, measure) for measure in MEASURES),
            migration=tuple(_grouped(connection, "group_before, group_after")),
            reasons=tuple(sorted(_grouped(connection, "reason"), key=lambda row: REASONS.index(row["reason"]))),
            differences=tuple(_differences(before.manifest, after.manifest)),
            refitted=before.manifest.get("models") != after.manifest.get("models"),
            missing=missing,
            **lists,
        )


_PAIRS = f"""
create table pairs as
with matched as (
    select
        coalesce(a.customer_id, b.customer_id) as customer_id,
        b.customer_id is null as is_new, a.customer_id is null as is_gone,
        b."group" as group_before, a."group" as group_after,
        {", ".join(f"b.{name} as {name}_before, a.{name} as {name}_after" for name in (*_FACTS, *_PREDICTIONS))}
    from "before" as b full join "after" as a on b.customer_id = a.customer_id
)
select *,
    case
        when is_new then 'new'
        when is_gone then 'gone'
        when n_orders_after > n_orders_before then 'ordered'
        when n_orders_after < n_orders_before or total_spend_after < total_spend_before then 'fewer'
        when total_spend_after is distinct from total_spend_before or last_order_on_after is distinct from last_order_on_before
            or unique_products_after is distinct from unique_products_before
            or returned_value_after is distinct from returned_value_before then 'revised'
        when recency_days_after is distinct from recency_days_before then 'quiet'
        else 'same'
    end as reason
from matched"""
_STAKE = "(coalesce(churn_probability_after, 0) - coalesce(churn_probability_before, 0)) * greatest(coalesce(clv_180d_before, 0), coalesce(clv_180d_after, 0))"
_WORTH = "(coalesce(clv_180d_after, 0) - coalesce(clv_180d_before, 0))"
_LISTS: Mapping[str, str] = {
    "value_up": f"{_WORTH} desc",
    "value_down": f"{_WORTH} asc",
    "risk_up": f"{_STAKE} desc",
    "risk_down": f"{_STAKE} asc",
}


def _columns(genome: Genome) -> frozenset[str]:
    """Return the published columns of the customers."""
    return frozenset(genome.query("select * from customers limit 0").column_names)


def _selected(group: str, columns: frozenset[str]) -> str:
    """Return the select list of one side; what a version does not publish is empty."""
    kinds = {**_FACTS, **_PREDICTIONS}
    figures = [f"cast({name if name in columns else 'null'} as {kind}) as {name}" for name, kind in kinds.items()]
    label = f"coalesce(cast({group} as varchar), '{UNKNOWN}')" if group in columns else f"'{UNKNOWN}'"
    return ", ".join(("customer_id", f'{label} as "group"', *figures))


def _version(genome: Genome) -> Version:
    """Return what is said of one side."""
    manifest = genome.manifest
    return Version(
        genome.snapshot.version,
        dt.date.fromisoformat(manifest["as_of"]),
        int(manifest["horizon_days"]),
        int(manifest["customers"]),
    )


def _exact(column: str) -> str:
    """Return SQL for a figure of one customer that adds up exactly; what is not known counts as 0."""
    return f"coalesce(cast({column} as {_EXACT}), 0)"


def _totals(connection: duckdb.DuckDBPyConnection, measure: str) -> dict[str, Any]:
    """Return how the total of one measure came from before to after; both ends are added up apart from the parts."""
    one = "1" if measure == "customers" else _exact(measure)
    was, is_now = ("1", "1") if measure == "customers" else (_exact(f"{measure}_before"), _exact(f"{measure}_after"))
    change = f"({is_now} - {was})"
    row = connection.sql(
        f"""select
            (select sum({one}) from "before") as before, sum({is_now}) filter (where is_new) as new, sum({was}) filter (where is_gone) as gone,
            sum({change}) filter (where not is_new and not is_gone and {change} > 0) as rose,
            sum({change}) filter (where not is_new and not is_gone and {change} < 0) as fell,
            (select sum({one}) from "after") as after
        from pairs"""
    ).to_arrow_table()
    return {"measure": measure} | {name: Decimal(value or 0) for name, value in row.to_pylist()[0].items()}


def _grouped(connection: duckdb.DuckDBPyConnection, keys: str) -> list[dict[str, Any]]:
    """Return customers and money per group of pairs."""
    sums = ", ".join(
        f"sum({_exact(f'{column}_{side}')}) as {name}_{side}"
        for column, name in (("clv_180d", "clv"), ("total_spend", "spend"), ("expected_value_loss", "loss"))
        for side in ("before", "after")
    )
    found: list[dict[str, Any]] = (
        connection.sql(f"select {keys}, count(*) as customers, {sums} from pairs group by all order by all nulls last")
        .to_arrow_table()
        .to_pylist()
    )
    return found


def _moves(connection: duckdb.DuckDBPyConnection, order: str, most: int) -> tuple[Move, ...]:
    """Return the customers in both versions who moved most in the direction of `order`; those who did not move are left out."""
    expression, _, direction = order.rpartition(" ")
    sign = ">" if direction == "desc" else "<"
    rows: pa.Table = connection.sql(
        f"select * from pairs where not is_new and not is_gone and {expression} {sign} 0 order by {order}, customer_id limit {int(most)}"
    ).to_arrow_table()
    figures = (*_FACTS, *_PREDICTIONS)
    return tuple(
        Move(
            row["customer_id"],
            row["reason"],
            row["group_before"],
            row["group_after"],
            {name: row[f"{name}_before"] for name in figures},
            {name: row[f"{name}_after"] for name in figures},
        )
        for row in rows.to_pylist()
    )


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """Return what differs between two runs and moves numbers: horizon, currency, settings, columns read, product version."""
    sides = [_what_moves_numbers(manifest) for manifest in (before, after)]
    names = sorted({name for side in sides for name in side})
    return [
        Difference(name, sides[0].get(name, ""), sides[1].get(name, ""))
        for name in names
        if sides[0].get(name) != sides[1].get(name)
    ]


def _what_moves_numbers(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return everything of a manifest that moves numbers without any new data, flat and as text."""
    found = {"horizon_days": str(manifest["horizon_days"]), "currency": str(manifest.get("currency", ""))}
    found["product_version"] = str(manifest.get("product_version", ""))
    for section in _SECTIONS_THAT_MOVE_NUMBERS:
        for key, value in manifest.get("settings", {}).get(section, {}).items():
            name = f"{section}.{key}"
            if name not in _SETTINGS_THAT_DO_NOT and name not in ("prediction.horizon_days", "shop.currency"):
                found[name] = _as_text(value)
    for table, source in manifest.get("sources", {}).items():
        for column, raws in source.get("mapping", {}).items():
            found[f"columns.{table}.{column}"] = " + ".join(raws)
    return found


def _as_text(value: Any) -> str:
    """Return a setting as text, alike however it was stored."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {_as_text(item)}" for key, item in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return ", ".join(_as_text(item) for item in value)
    return "" if value is None else str(value)


def _plain(value: Any) -> Any:
    """Return nested values as JSON knows them."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.isoformat() if isinstance(value, dt.date) else value
