"""What engines count in SQL, computed the plain way from customers in memory: the answers that tests hold them to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from customer_genome.decisions.conditions import Condition, Figure, figures_wanted
from customer_genome.decisions.customers import Customers, value_at
from customer_genome.decisions.playbooks import Assignment, Playbook, PlaybookCheck, assign, check, wanted_figures
from customer_genome.decisions.priority import CLV_PERCENTS
from customer_genome.decisions.segment_names import FIGURES, SegmentName, name_segments


def known_in(table: pa.Table) -> frozenset[str]:
    """Return the columns that say something about at least one customer."""
    customers = Customers(table)
    return frozenset(column for column in table.column_names if customers.has(column))


def figures_of(playbooks: Sequence[Playbook], table: pa.Table) -> dict[str, float]:
    """Return the figures of customers behind p30, mean and median in the rules of playbooks."""
    customers = Customers(table)
    return _values(wanted_figures(playbooks, customers), customers)


def statistics_of(conditions: Sequence[Condition], customers: Customers) -> dict[str, float]:
    """Return the same of a few rules."""
    return _values(figures_wanted(conditions, customers), customers)


def _values(figures: Sequence[Figure], customers: Customers) -> dict[str, float]:
    found = {}
    for figure in figures:
        values = customers.numbers(figure.column)
        found[figure.key] = float(np.nanmean(values)) if figure.percent is None else value_at(values, figure.percent)
    return found


def clv_cuts(clv: npt.ArrayLike) -> tuple[float, float]:
    """Return the values that part Low from Medium and Medium from High; nobody is Low or High where all are alike."""
    known = np.asarray(clv, dtype=np.float64)
    known = known[~np.isnan(known)]
    if len(known) == 0 or known.min() == known.max():
        return (-np.inf, np.inf)
    return (value_at(known, CLV_PERCENTS[0]), value_at(known, CLV_PERCENTS[1]))


def assigned(playbooks: Sequence[Playbook], table: pa.Table, currency: str = "") -> Assignment:
    """Return the playbooks that customers get among themselves."""
    return assign(playbooks, table, currency=currency, figures=figures_of(playbooks, table), known=known_in(table))


def checked(playbooks: Sequence[Playbook], table: pa.Table) -> tuple[PlaybookCheck, ...]:
    """Return what playbooks do to customers among themselves."""
    return check(playbooks, Counter(assigned(playbooks, table).matching.to_pylist()), known_in(table))


def figures_of_clusters(labels: npt.ArrayLike, table: pa.Table) -> pa.Table:
    """Return the figures of each cluster, and of everybody."""
    of, customers = np.asarray(labels, dtype=np.int64), Customers(table)
    members = [(int(cluster), of == cluster) for cluster in np.unique(of)] + [(None, np.ones(len(of), dtype=bool))]
    columns: dict[str, object] = {
        "cluster": pa.array([cluster for cluster, _ in members], pa.int64()),
        "n_customers": pa.array([int(rows.sum()) for _, rows in members], pa.int64()),
    }
    for name, (column, kind) in FIGURES.items():
        values = customers.numbers(column) if customers.has(column) else np.full(len(of), np.nan)
        columns[name] = pa.array([_summary(values[rows], kind) for _, rows in members], pa.float64(), from_pandas=True)
    return pa.table(columns)


def named(labels: npt.ArrayLike, table: pa.Table, currency: str = "") -> tuple[SegmentName, ...]:
    """Return the names of the clusters of customers."""
    return name_segments(figures_of_clusters(labels, table), currency=currency)


def _summary(values: npt.NDArray[np.float64], kind: str) -> float:
    """Return mean, median or sum of the known values; NaN if none is known."""
    known = values[~np.isnan(values)]
    if len(known) == 0:
        return float("nan")
    return value_at(known, 50) if kind == "median" else float(known.mean() if kind == "mean" else known.sum())
