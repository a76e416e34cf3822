"""The part of the page Predict that asks a model of a customer table: a field for every column it was trained on, and its answer.

Comes in: a stored model, and the customers kept beside it. Goes out: fields and predictions. Values outside the training data and names never
seen are said. Not a page of its own.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import streamlit as st

from customer_genome.decisions.priority import CLV_PERCENTS, churn_band
from customer_genome.errors import GenomeError
from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.predict_answer import show_money, show_risk, show_said, warn_of_the_unknown
from customer_genome.interfaces.dashboard.session import role_of_visitor
from customer_genome.interfaces.views.figures import count, money, share
from customer_genome.profile_files import CUSTOMERS_FILE, kept_customer, kept_ids
from customer_genome.stages.labelled import LabelledResult
from customer_genome.workspace import Workspace

BY_HAND, EXISTING = "Enter by hand", "Existing customer"
EMPTY = "(empty)"
_EPOCH = dt.date(1970, 1, 1)
_FIELDS, _MOST_RANKED = 3, 20_000
_EVEN = (0.5, 0.5)


@st.cache_resource(show_spinner=False, max_entries=3)
def model_of(root: str, version: str) -> LabelledResult:
    """Return a stored model, read once."""
    return LabelledResult.load(Workspace(Path(root)).models, version)


def show_profiles(place: Workspace, version: str) -> None:
    """Show fields and answer of one model."""
    result = model_of(str(place.root), version)
    st.markdown(aside(plain(trained_words(result))))
    name, known = _customer(place, result)
    answer = st.container()
    row = _fields(result, name, known)
    with answer:
        try:
            _show_prediction(place, result, row, name, known)
        except GenomeError as err:
            st.error(plain(err))
    with st.expander("How good is this model?"):
        _show_quality(result)


def trained_words(result: LabelledResult) -> str:
    """Return what was trained, in one line."""
    parts = [
        f"{one.model.label}: {one.model.name}, learned from {one.comparison['n_customers']:,} customers"
        for one in result.learned.values()
    ]
    return f"Model {result.version}. {'; '.join(parts)}. Reasons are what goes together with the outcome, not what causes it."


def _customer(place: Workspace, result: LabelledResult) -> tuple[str, dict[str, Any]]:
    """Show who is asked about; return the id and what is known of them, both empty for nobody in particular."""
    ids = kept_ids(place) if role_of_visitor() != "viewer" and _fits(place, result) else []
    ways = [EXISTING, BY_HAND] if ids else [BY_HAND]
    way = st.segmented_control("Fields", ways, default=ways[0], key="predict_way", label_visibility="collapsed", required=True)
    if way != EXISTING:
        return "", {}
    asked = st.selectbox(
        "Customer", ids, accept_new_options=True, key="predict_customer", help="Type an id; the first thousand are listed."
    )
    found = kept_customer(place, str(asked)) if asked is not None else None
    if found is None:
        st.warning(f"No customer {plain(asked)} in the table learned from. The fields show a typical customer.")
        return "", {}
    return str(asked), _values(result, found)


def _fits(place: Workspace, result: LabelledResult) -> bool:
    """Return whether the kept customers have the columns of a model; those of an older model may be other ones."""
    path = place.profiles / CUSTOMERS_FILE
    return path.exists() and {column.name for column in result.columns} <= set(pq.read_schema(path).names)


def _fields(result: LabelledResult, name: str, known: dict[str, Any]) -> dict[str, str | None]:
    """Show a field for every column the model reads; return what is in them."""
    st.header("Fields", anchor=False)
    st.markdown(aside("Change one to see what the model would then say; that is what goes together, not what a change would do."))
    grid = st.grid(_FIELDS, min_column_width=210, gap="small")
    row: dict[str, str | None] = {}
    for column in result.columns:
        value = known[column.name] if known else _typical(column)
        with grid.container():
            row[column.name] = _field(column, value, f"{name}.{column.name}")
    return row


def _values(result: LabelledResult, found: pa.Table) -> dict[str, Any]:
    """Return a kept customer's values as the model reads them."""
    values = result.read(found)
    return {name: None if column[0] is None or column[0] != column[0] else column[0] for name, column in values.items()}


def _typical(column: Any) -> Any:
    """Return what a field shows when nobody is chosen."""
    if column.kind == "category":
        return column.levels[0]
    return 0.0 if column.kind == "yes_no" else column.typical


def _field(column: Any, value: Any, key: str) -> str | None:
    """Show one field; return its content as text, None where it is empty."""
    label = plain(column.name)
    if column.kind in ("category", "yes_no"):
        levels = list(column.levels)
        shown = value if column.kind == "category" else None if value is None else levels[int(value)]
        options = [*levels, *([shown] if shown is not None and shown not in levels else []), EMPTY]
        picked = st.selectbox(
            label,
            options,
            index=options.index(shown) if shown is not None else len(options) - 1,
            accept_new_options=column.kind == "category",
            key=f"predict.{key}",
        )
        return None if picked in (EMPTY, None) else str(picked)
    if column.kind == "date":
        low, high = (_EPOCH + dt.timedelta(days=int(one)) for one in (column.low, column.high))
        day = st.date_input(
            label,
            None if value is None else _EPOCH + dt.timedelta(days=int(value)),
            min_value=dt.date(1900, 1, 1),
            help=f"{low} to {high} among those learned from",
            key=f"predict.{key}",
        )
        return day.isoformat() if isinstance(day, dt.date) else None
    is_whole = all(float(one).is_integer() for one in (column.low, 2 * column.typical, column.high))
    number = st.number_input(
        label,
        value=None if value is None else float(value),
        step=1.0 if is_whole else None,
        format="%.0f" if is_whole and (value is None or float(value).is_integer()) else "%.2f",
        help=f"{column.low:,.6g} to {column.high:,.6g} among those learned from",
        key=f"predict.{key}",
    )
    return None if number is None else repr(float(number))


def unknown_to(result: LabelledResult, table: pa.Table) -> list[str]:
    """Return what of one customer lies outside what was learned from: names never seen, numbers and days beyond the range."""
    faults = list(result.notices_for(table))
    values = result.read(table)
    for column in result.columns:
        if column.kind not in ("number", "date"):
            continue
        value = float(values[column.name][0])
        if column.low <= value <= column.high or np.isnan(value):
            continue
        written = [f"{one:,.6g}" for one in (value, column.low, column.high)]
        if column.kind == "date":
            written = [str(_EPOCH + dt.timedelta(days=int(one))) for one in (value, column.low, column.high)]
        faults.append(f"{column.name}: {written[0]}; learned from {written[1]} to {written[2]}.")
    return faults


def _show_prediction(
    place: Workspace, result: LabelledResult, row: dict[str, str | None], name: str, known: dict[str, Any]
) -> None:
    """Show segment, risk, next spend and reasons."""
    table = result.table_of(row, name)
    predicted, reasons = result.predict(table).to_pylist()[0], result.reasons(table).to_pylist()[0]
    before = _before(place, result, name, known, predicted)
    st.header("Prediction" + (f" for {plain(name)}" if name else ""), anchor=False)
    warn_of_the_unknown(unknown_to(result, table))
    _show_group(place, result, predicted)
    places = st.columns(2, gap="medium")
    for spot, (task, one) in zip(places, result.learned.items(), strict=False):
        with spot, st.container(border=True, height="stretch"):
            if task == "churn":
                chance = predicted["churn_probability"]
                is_high = chance >= 0.5
                words = "more likely to leave than to stay" if is_high else "more likely to stay than to leave"
                show_risk(
                    "Risk of churn", chance, "High" if is_high else "Low", words, float(one.comparison["mean"]),
                    "the share of churn among all customers learned from", was=before.get("churn_probability"),
                )  # fmt: skip
            else:
                was = before.get("predicted_spend")
                lower, upper = (money(predicted[end]) if end in predicted else None for end in ("spend_lower", "spend_upper"))
                meaning = (
                    f"Expected {one.model.label}, in the money of your table; the mean is {money(float(one.comparison['mean']))}."
                )
                amount, before_it = money(predicted["predicted_spend"]), None if was is None else money(was)
                show_money("Next spend", amount, lower, upper, meaning, was=before_it)
            prefix = "spend_reason" if task == "spend" and "churn" in result.learned else "reason"
            said = [reasons[f"{prefix}_{number}"] for number in (1, 2, 3) if reasons[f"{prefix}_{number}"]]
            if len(result.learned) > 1:
                show_said(said, is_exact=one.model.is_exact)
    if len(result.learned) == 1:
        with places[1], st.container(border=True, height="stretch"):
            show_said(said, is_exact=one.model.is_exact)


def _before(
    place: Workspace, result: LabelledResult, name: str, known: dict[str, Any], predicted: dict[str, Any]
) -> dict[str, float]:
    """Return what is predicted of an existing customer as the table has them; empty where no field was changed."""
    kept = kept_customer(place, name) if known else None
    if kept is None:
        return {}
    found = result.predict(kept).to_pylist()[0]
    figures = {task: found[task] for task in ("churn_probability", "predicted_spend") if task in found}
    return figures if any(abs(predicted[task] - value) > 1e-9 * max(1.0, abs(value)) for task, value in figures.items()) else {}


def _show_group(place: Workspace, result: LabelledResult, predicted: dict[str, Any]) -> None:
    """Show the segment: band of money and of risk among the customers learned from, and how many stand lower."""
    if not _fits(place, result):
        return
    everybody = _everybody(str(place.root), result.version, (place.profiles / CUSTOMERS_FILE).stat().st_mtime_ns, result)
    parts, ranks = [], []
    if "predicted_spend" in predicted:
        cuts = np.percentile(everybody["predicted_spend"], CLV_PERCENTS)
        band = ("Low", "Medium", "High")[int(np.searchsorted(cuts, predicted["predicted_spend"]))]
        parts.append(f"{band} spend")
        ranks.append(f"spends more than {_rank(everybody['predicted_spend'], predicted['predicted_spend'])}")
    if "churn_probability" in predicted:
        parts.append(f"{churn_band([predicted['churn_probability']], _EVEN)[0].as_py()} risk".lower() if parts else "")
        ranks.append(f"is riskier than {_rank(everybody['churn_probability'], predicted['churn_probability'])}")
    segment = " / ".join(part for part in parts if part)
    words = f"{' and '.join(ranks)} of {count(len(next(iter(everybody.values()))))} customers learned from"
    st.markdown(
        f"Segment: **{segment}**. {aside(words.capitalize() + '.')}"
        if segment and len(parts) > 1
        else aside(words.capitalize() + ".")
    )


def _rank(values: Any, value: float) -> str:
    """Return the share of values below one, in words."""
    return share(float(np.mean(values < value)))


@st.cache_data(show_spinner=False, max_entries=3)
def _everybody(root: str, version: str, stamp: int, _result: LabelledResult) -> dict[str, Any]:
    """Return what is predicted of the customers kept beside the model; kept per model, and anew once somebody was erased."""
    del version, stamp
    table = pq.read_table(Workspace(Path(root)).profiles / CUSTOMERS_FILE).slice(0, _MOST_RANKED)
    found = _result.predict(table)
    return {name: found[name].to_numpy() for name in ("churn_probability", "predicted_spend") if name in found.column_names}


def _show_quality(result: LabelledResult) -> None:
    """Show how everything compared, and what was found in the table."""
    for task, one in result.learned.items():
        st.markdown(f"**{plain('Churn' if task == 'churn' else 'Next spend')} ({plain(one.model.label)})**")
        st.dataframe(_table(one.comparison["rows"], task), hide_index=True)
        if task == "churn":
            _threshold(one.comparison["thresholds"])
        for sentence in one.words:
            st.markdown(f"- {plain(sentence)}")


def _threshold(rows: list[dict[str, Any]]) -> None:
    """Show who would be called at risk from a chance on, and how often that is right, for customers held back."""
    percent = st.slider("Call at risk from a chance of", 1, 99, 50, format="%d %%", key="predict_threshold")
    row = rows[percent - 1]
    called, leaving = row["true_positives"] + row["false_positives"], row["true_positives"] + row["false_negatives"]
    st.dataframe(
        pa.table(
            {
                "customers held back": ["left", "stayed"],
                "called at risk": [row["true_positives"], row["false_positives"]],
                "not called": [row["false_negatives"], row["true_negatives"]],
            }
        ),
        hide_index=True,
    )
    precision = f"{share(row['true_positives'] / called)} of those called leave" if called else "nobody is called"
    st.markdown(f"{precision}; {share(row['true_positives'] / leaving)} of those who leave are called.")


def _table(rows: list[dict[str, Any]], task: str) -> pa.Table:
    """Return the comparison as a table of figures."""
    names = ("auc", "pr_auc", "brier", "ece", "top_decile_lift") if task == "churn" else ("mae", "rmse", "r2")
    titles = {
        "auc": "ROC-AUC",
        "pr_auc": "PR-AUC",
        "brier": "Brier",
        "ece": "ECE",
        "top_decile_lift": "lift",
        "mae": "MAE",
        "rmse": "RMSE",
        "r2": "R2",
    }
    found: dict[str, list[Any]] = {
        "used": ["→" if row["is_chosen"] else "" for row in rows],
        "predicted by": [row["candidate"] for row in rows],
    }
    for name in names:
        found[titles[name]] = [None if row["figures"][name] is None else round(row["figures"][name], 3) for row in rows]
        found[f"± {titles[name]}"] = [None if row["errors"].get(name) is None else round(row["errors"][name], 3) for row in rows]
    return pa.table(found)
