"""Customer tables that carry a label (churn, next spend): learned from, compared, explained and predicted through one path.

Comes in: an Arrow table of one row per customer with a churn and/or a next-spend column. Goes out: a `LabelledResult` that says in words and figures
what predicts what how well, predicts other tables of the same columns with reasons, and is stored in the registry as plain arrays. Columns
that give the answer away are found, named, and left out. What was not learned from enough customers is refused with what would be needed.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from customer_genome.errors import ContractError, RegistryError
from customer_genome.evaluation.profiles import label_figures, threshold_counts
from customer_genome.models.profiles import Alarm, Column, Compared, LabelModel, alarms, compare
from customer_genome.models.profiles.columns import Values, read_values, typed, without
from customer_genome.models.profiles.explaining import part_of
from customer_genome.models.profiles.importance import importance
from customer_genome.models.profiles.labels import is_named_like_a_label
from customer_genome.models.profiles.leaks import MOST_IN_A_RULE
from customer_genome.models.profiles.learners import Task, components
from customer_genome.models.profiles.listed import FEW, QUICK, learners_for
from customer_genome.models.profiles.model import typical_of
from customer_genome.models.profiles.ranges import Ranges, held_out_ranges
from customer_genome.models.profiles.tables import (
    answer_of,
    batches,
    differing,
    ids_of,
    known,
    label_columns_of,
    one_row_each,
    usable,
)
from customer_genome.models.profiles.wording import alarm_words, choice_words, components_words, left_out_words
from customer_genome.models.segmentation.segments import significant
from customer_genome.registry import load_model, make_champion, prune_models, save_model

KIND = "profiles"
KEPT_VERSIONS = 10
FEW_OF_A_CLASS = 100
"""With fewer customers of either kind only what small tables can carry is compared."""
Tell = Callable[[str, float], None]


@dataclass(frozen=True)
class Learned:
    """One label: its model, how everything compared, and what is to be said.

    Attributes
    ----------
    comparison : plain values: rows of figures with standard errors, naive formulas first
    alarms : columns and rules that give the label away, and were left out
    with_alarms : the comparison with those columns, empty where there are none
    """

    model: LabelModel
    comparison: Mapping[str, Any]
    alarms: tuple[Alarm, ...]
    with_alarms: Mapping[str, Any]
    importance: tuple[Mapping[str, Any], ...]
    words: tuple[str, ...]


@dataclass(frozen=True)
class LabelledResult:
    """What was learned from a labelled table.

    Attributes
    ----------
    id_column : the column that names customers; None numbers the rows
    learned : "churn" and/or "spend" -> what was learned
    left_out : column -> why nothing was learned from it
    notices : what should be known of the table
    order : the columns learned from, as they stood
    """

    id_column: str | None
    learned: Mapping[Task, Learned]
    left_out: Mapping[str, str]
    notices: tuple[str, ...]
    order: tuple[str, ...]
    seed: int
    version: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """Everything to be said, in plain sentences."""
        return (*self.notices, *(sentence for one in self.learned.values() for sentence in one.words))

    @property
    def comparison(self) -> dict[str, Any]:
        """The comparison of every label as plain values."""
        return {task: {**one.comparison, "with_alarms": dict(one.with_alarms)} for task, one in self.learned.items()}

    @property
    def columns(self) -> tuple[Column, ...]:
        """Every column a prediction reads, in the order learned."""
        found: dict[str, Column] = {}
        for one in self.learned.values():
            found |= {column.name: column for column in one.model.columns}
        return tuple(found[name] for name in self.order if name in found)

    def predict(self, table: pa.Table) -> pa.Table:
        """Return customer_id, churn_probability (0..1), predicted_spend, spend_lower, spend_upper (80 %), as far as there are such labels.

        Raises
        ------
        ContractError
            Columns are missing or hold something else; nothing is reordered or filled in silently.
        """
        parts = [self._predicted(batch) for batch in batches(table)]
        return pa.concat_tables(parts)

    def _predicted(self, table: pa.Table) -> pa.Table:
        values, _ = read_values(table, self.columns)
        found: dict[str, Any] = {"customer_id": ids_of(table, self.id_column)}
        if "churn" in self.learned:
            found["churn_probability"] = significant(self.learned["churn"].model.predict(values))
        if "spend" in self.learned:
            model = self.learned["spend"].model
            found["predicted_spend"] = significant(model.predict(values))
            if model.ranges is not None:
                found["spend_lower"], found["spend_upper"] = map(significant, model.ranges.around(found["predicted_spend"]))
        return pa.table({name: pa.array(column) for name, column in found.items()})

    def reasons(self, table: pa.Table) -> pa.Table:
        """Return customer_id and up to three reasons for each label, the largest first: reason_1.. for churn, spend_reason_1.. for money.

        Where churn is no label the reasons for money are reason_1.. . Empty where fewer columns have a say.
        """
        parts = []
        for batch in batches(table):
            values, _ = read_values(batch, self.columns)
            found: dict[str, Any] = {"customer_id": ids_of(batch, self.id_column)}
            for task, one in self.learned.items():
                prefix = "spend_reason" if task == "spend" and "churn" in self.learned else "reason"
                said = one.model.reasons(values)
                for number in range(3):
                    found[f"{prefix}_{number + 1}"] = pa.array(
                        [row[number] if number < len(row) else None for row in said], pa.string()
                    )
            parts.append(pa.table(found))
        return pa.concat_tables(parts)

    def read(self, table: pa.Table) -> Values:
        """Return the values of the columns that predictions read."""
        return read_values(table, self.columns)[0]

    def table_of(self, row: Mapping[str, str | None], customer_id: str = "") -> pa.Table:
        """Return one customer, typed in field by field, as a table that can be predicted."""
        fields = {column.name: pa.array([row.get(column.name)], pa.string()) for column in self.columns}
        return pa.table({**fields, **({self.id_column: pa.array([customer_id])} if self.id_column else {})})

    def notices_for(self, table: pa.Table) -> list[str]:
        """Return what should be said of a table before it is predicted: unread cells, names never seen, another order of columns."""
        _, notices = read_values(table, self.columns)
        names = [column.name for column in self.columns]
        there = [name for name in table.column_names if name in names]
        if there != names:
            notices.append("The columns stand in another order than in the table learned from; each was read by its name.")
        known = {*names, *self.left_out, self.id_column, *(one.model.label for one in self.learned.values())}
        if others := [name for name in table.column_names if name not in known]:
            notices.append(
                f"Not used, because nothing was learned from them: {', '.join(others[:5])}{', ...' if len(others) > 5 else ''}."
            )
        return notices

    def as_json(self) -> dict[str, Any]:
        """Return what was learned as plain values."""
        return {
            "id_column": self.id_column,
            "labels": {task: one.model.label for task, one in self.learned.items()},
            "chosen": {task: one.model.name for task, one in self.learned.items()},
            "columns": [column.as_json() for column in self.columns],
            "left_out": dict(self.left_out),
            "comparison": self.comparison,
            "alarms": {task: [alarm.as_json() for alarm in one.alarms] for task, one in self.learned.items()},
            "importance": {task: [dict(row) for row in one.importance] for task, one in self.learned.items()},
            "words": list(self.words),
            "notices": list(self.notices),
            "seed": self.seed,
        }

    def save(self, models: Path) -> str:
        """Store the result as a new version of kind "profiles", make it the champion, and return the version."""
        arrays: dict[str, npt.NDArray[Any]] = {}
        for task, one in self.learned.items():
            arrays |= {f"{task}.{name}": values for name, values in one.model.to_arrays().items()}
            rest = {
                "comparison": one.comparison,
                "with_alarms": one.with_alarms,
                "alarms": [alarm.as_json() for alarm in one.alarms],
                "importance": [dict(row) for row in one.importance],
                "words": list(one.words),
            }
            arrays[f"{task}.found"] = _bytes(rest)
        arrays["result"] = _bytes(
            {
                "id_column": self.id_column,
                "tasks": list(self.learned),
                "left_out": dict(self.left_out),
                "notices": list(self.notices),
                "order": list(self.order),
                "seed": self.seed,
            }
        )
        card = {key: value for key, value in self.as_json().items() if key != "columns"}
        card["features"] = [column.name for column in self.columns]
        card["model"] = ", ".join(f"{task}: {one.model.name}" for task, one in self.learned.items())
        card["n_customers"] = max(one.comparison["n_customers"] for one in self.learned.values())
        version = save_model(models, KIND, arrays, card)
        make_champion(models, KIND, version)
        prune_models(models, KIND, KEPT_VERSIONS)
        return version

    @classmethod
    def load(cls, models: Path, version_or_alias: str = "champion") -> LabelledResult:
        """Return a stored result.

        Raises
        ------
        RegistryError
            Nothing is stored, or it is damaged, or needs a library that is not there.
        """
        try:
            stored = load_model(models, KIND, version_or_alias)
        except RegistryError as err:
            if (models / KIND).exists():
                raise
            raise RegistryError(
                f"No model of labelled profiles in {models}. Train one with `genome profiles train FILE`."
            ) from err
        about = _plain(stored.arrays["result"])
        learned: dict[Task, Learned] = {}
        for task in about["tasks"]:
            found = _plain(stored.arrays[f"{task}.found"])
            learned[task] = Learned(
                LabelModel.from_arrays(part_of(stored.arrays, f"{task}.")),
                found["comparison"],
                tuple(Alarm(**{**alarm, "columns": tuple(alarm["columns"])}) for alarm in found["alarms"]),
                found["with_alarms"],
                tuple(found["importance"]),
                tuple(found["words"]),
            )
        return cls(
            about["id_column"],
            learned,
            about["left_out"],
            tuple(about["notices"]),
            tuple(about["order"]),
            int(about["seed"]),
            stored.version,
        )


def learn(
    table: pa.Table,
    *,
    id_column: str | None,
    label_columns: Mapping[Task, str] | Sequence[str],
    seed: int = 7,
    drop: Sequence[str] = (),
    keep: Sequence[str] = (),
    n_components: int | None = None,
    churn_value: str | None = None,
    tell: Tell | None = None,
) -> LabelledResult:
    """Learn every label of a table, compare what can predict it, and choose.

    Parameters
    ----------
    table : pa.Table
        One row per customer; cells may be text.
    id_column : text or None
        The column that names customers; None numbers the rows.
    label_columns : mapping or sequence
        {"churn": column, "spend": column}, or names whose kind is told from their values. Rows with an empty label teach nothing.
    drop, keep : columns to leave out, and columns to keep although they give a label away or are called like one
    n_components : int, optional
        Also compare a linear model on so many principal components.
    churn_value : text, optional
        The value of the churn label that means churn, where its words do not say so.
    tell : called with a label's column and the share of the work that is done

    Raises
    ------
    ContractError
        The table cannot be learned from; the message says what would be needed.
    AskError
        The churn label can be read two ways.
    """
    table, notices = one_row_each(table, id_column)
    labels = label_columns_of(table, label_columns)
    known(table, (*drop, *keep), "column")
    answers = {label: answer_of(table, task, label, churn_value) for task, label in labels.items()}
    left_out = dict.fromkeys(drop, "you said so")
    for name in table.column_names:
        if name not in (id_column, *labels.values(), *drop, *keep) and is_named_like_a_label(name):
            left_out[name] = "it is called like a label, so it may hold the answer; keep it with --keep if it is known beforehand"
    candidates = [name for name in table.column_names if name not in (id_column, *labels.values(), *left_out)]
    columns, untyped = typed(table, candidates)
    left_out |= untyped
    notices += left_out_words(left_out)
    if not columns:
        raise ContractError(
            "No column is left to learn from. Wanted: at least one column beside id and labels that differs between customers."
        )
    values, unread = read_values(table, columns)
    learned: dict[Task, Learned] = {}
    with warnings.catch_warnings():
        _quiet()
        for task, label in labels.items():
            learned[task] = _learned(task, label, answers[label], values, columns, frozenset(keep), seed, n_components, tell)
    return LabelledResult(id_column, learned, left_out, (*notices, *unread), tuple(column.name for column in columns), seed)


def _quiet() -> None:
    """Let solvers that ran out of steps pass: their result is judged by its predictions, like any other."""
    from sklearn.exceptions import ConvergenceWarning

    warnings.simplefilter("ignore", ConvergenceWarning)


def _learned(
    task: Task,
    label: str,
    answer: npt.NDArray[np.float64],
    values: Values,
    columns: tuple[Column, ...],
    keep: frozenset[str],
    seed: int,
    n_components: int | None,
    tell: Tell | None,
) -> Learned:
    """Learn one label."""
    rows, words = usable(task, label, answer, seed)
    y, seen = answer[rows], {name: column[rows] for name, column in values.items()}
    columns = differing(seen, columns)
    kept, found, doubts = _without_leaks(seen, columns, y, task, keep, seed)
    if not kept:
        raise ContractError(
            f'Every column gives the label "{label}" away: {" ".join(alarm.sentence(label) for alarm in found)} Wanted: columns known before the label was. '
            "If they are, say so with --keep."
        )
    small = (task == "churn" and min(y.sum(), len(y) - y.sum()) < FEW_OF_A_CLASS) or len(y) < 2 * FEW_OF_A_CLASS
    learners, lacking = learners_for(task, names=FEW if small else (), n_components=n_components)

    def told(share: float) -> None:
        if tell:
            tell(label, share)

    compared = compare(seen, kept, y, task, learners, seed, told)
    model = _model(task, label, compared, seen, kept, seed)
    comparison = _figures(compared, seed)
    with_alarms: dict[str, Any] = {}
    if found:
        quick, _ = learners_for(task, names=QUICK)
        with_alarms = _figures(compare(seen, columns, y, task, quick, seed), seed)
    told(1.0)
    if n_components:
        explained = components(compared.encoder.matrix(seen, "plain"), n_components)[3]
        comparison["explained_variance"] = [float(share) for share in explained]
        words.append(components_words(label, comparison["explained_variance"]))
    words += [*lacking, *alarm_words(label, found, doubts, columns, kept)]
    if small:
        words.append(f"{label}: few customers, so only formulas and a linear model are compared.")
    words += choice_words(label, compared, comparison["rows"], with_alarms)
    return Learned(model, comparison, tuple(found), with_alarms, tuple(importance(model, compared, seen, seed)), tuple(words))


def _without_leaks(
    values: Values, columns: tuple[Column, ...], y: npt.NDArray[np.float64], task: Task, keep: frozenset[str], seed: int
) -> tuple[tuple[Column, ...], list[Alarm], list[Alarm]]:
    """Return the columns that are left once none gives the label away, the alarms that took one out, and those that did not.

    The strongest column of an alarm leaves and the rest is looked at again. A rule with a column the user keeps, or of more columns than
    can be told in words, is said and takes none out.
    """
    kept = columns
    found: list[Alarm] = []
    doubts: list[Alarm] = []
    while kept:
        rules = alarms(values, kept, y, task, seed)
        telling = [alarm for alarm in rules if len(alarm.columns) <= MOST_IN_A_RULE and not keep & set(alarm.columns)]
        doubts = [alarm for alarm in rules if alarm not in telling]
        if not telling:
            break
        found += [alarm for alarm in telling if alarm.columns not in [one.columns for one in found]]
        kept = without(kept, telling[0].columns[:1])
    return kept, found, doubts


def _figures(compared: Compared, seed: int) -> dict[str, Any]:
    """Return a comparison as plain values."""
    chosen, y = compared.choice.name, compared.y
    rows = label_figures(compared.predicted, y, compared.task, compared.naive, compared.folds, chosen, seed)
    found: dict[str, Any] = {"n_customers": len(y), "mean": float(y.mean()), "chosen": chosen, "rows": rows}
    if compared.task == "churn":
        found["thresholds"] = threshold_counts(y, compared.predicted[chosen])
    else:
        lower, upper = held_out_ranges(compared.predicted[chosen], y, compared.folds)
        found["ranges"] = {
            "below": float(np.mean(y < lower)),
            "above": float(np.mean(y > upper)),
            "mean_width": float(np.mean(upper - lower)),
        }
    return found


def _bytes(value: Any) -> npt.NDArray[np.uint8]:
    """Return plain values as JSON bytes, which travel with the arrays under their checksum."""
    return np.frombuffer(json.dumps(value).encode(), dtype=np.uint8)


def _plain(stored: npt.NDArray[Any]) -> Any:
    return json.loads(stored.tobytes())


def _model(task: Task, label: str, compared: Compared, values: Values, columns: tuple[Column, ...], seed: int) -> LabelModel:
    """Return the chosen model, ready for other customers."""
    ranges = Ranges.fit(compared.predicted[compared.choice.name], compared.y) if task == "spend" else None
    typical = typical_of(compared.fitted, compared.encoder, values, seed)
    return LabelModel(
        task, label, compared.choice.name, columns, compared.encoder, compared.fitted, compared.calibration, ranges, typical
    )
