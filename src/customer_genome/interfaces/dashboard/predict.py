"""The page Predict: one customer's fields, filled in from the table learned from or by hand, and what the stored model says of them.

The model is that of `genome profiles train`. Nothing is trained and nothing is stored here; what is typed in is forgotten with the page.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import streamlit as st

from customer_genome.errors import GenomeError, RegistryError
from customer_genome.interfaces.dashboard.markup import aside, plain
from customer_genome.interfaces.dashboard.session import workspace_root
from customer_genome.interfaces.figures import money, share
from customer_genome.labelled import KIND, LabelledResult
from customer_genome.profile_files import kept_customer, kept_ids
from customer_genome.registry import aliases
from customer_genome.workspace import Workspace

BY_HAND, EXISTING = "Enter by hand", "Existing customer"
EMPTY = "(empty)"
_EPOCH = dt.date(1970, 1, 1)
_FIELDS = 3


@st.cache_resource(show_spinner=False, max_entries=3)
def model_of(root: str, version: str) -> LabelledResult:
    """Return a stored model, read once."""
    return LabelledResult.load(Workspace(workspace_root()).models, version)


def show() -> None:
    """Show the page."""
    st.title("Predict one customer", anchor=False)
    place = Workspace(workspace_root())
    try:
        version = aliases(place.models, KIND).get("champion", "champion")
        result = model_of(str(place.root), version)
    except RegistryError as err:
        st.info(plain(err))
        st.markdown("Train a model on a customer table that says who churned or what they spent next, then reload this page:")
        st.code(f"genome profiles train customers.csv --workspace {place.root}", language="bash")
        return
    st.markdown(aside(plain(_trained(result))))
    name, known = _customer(place, result)
    answer = st.container()
    row = _fields(result, name, known)
    with answer:
        try:
            _show_prediction(result, row, name)
        except GenomeError as err:
            st.error(plain(err))
    with st.expander("How good is this model?"):
        for task, one in result.learned.items():
            st.markdown(f"**{plain('Churn' if task == 'churn' else 'Next spend')} ({plain(one.model.label)})**")
            st.dataframe(_table(one.comparison["rows"], task), hide_index=True)
            if task == "churn":
                _threshold(one.comparison["thresholds"])
            for sentence in one.words:
                st.markdown(f"- {plain(sentence)}")


def _trained(result: LabelledResult) -> str:
    """Return what was trained, in one line."""
    parts = [
        f"{one.model.label}: {one.model.name}, learned from {one.comparison['n_customers']:,} customers"
        for one in result.learned.values()
    ]
    return f"Model {result.version}. {'; '.join(parts)}. Reasons are what goes together with the outcome, not what causes it."


def _customer(place: Workspace, result: LabelledResult) -> tuple[str, dict[str, Any]]:
    """Show who is asked about; return the id and what is known of them, both empty for nobody in particular."""
    ids = kept_ids(place)
    ways = [EXISTING, BY_HAND] if ids else [BY_HAND]
    if st.segmented_control("Fields", ways, default=ways[0], key="predict_way", label_visibility="collapsed") != EXISTING:
        return "", {}
    asked = st.selectbox(
        "Customer", ids, accept_new_options=True, key="predict_customer", help="Type an id; the first thousand are listed."
    )
    found = kept_customer(place, str(asked)) if asked is not None else None
    if found is None:
        st.warning(f"No customer {plain(asked)} in the table learned from. The fields show a typical customer.")
        return "", {}
    return str(asked), _values(result, found)


def _fields(result: LabelledResult, name: str, known: dict[str, Any]) -> dict[str, Any]:
    """Show a field for every column the model reads; return what is in them."""
    st.header("Fields", anchor=False)
    st.markdown(aside("Change one to see what the model would then say; that is what goes together, not what a change would do."))
    grid = st.grid(_FIELDS, min_column_width=210, gap="small")
    row: dict[str, Any] = {}
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
            label, options, index=options.index(shown) if shown is not None else len(options) - 1, key=f"predict.{key}"
        )
        return None if picked == EMPTY else str(picked)
    if column.kind == "date":
        day = st.date_input(
            label,
            None if value is None else _EPOCH + dt.timedelta(days=int(value)),
            min_value=dt.date(1900, 1, 1),
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


def _show_prediction(result: LabelledResult, row: dict[str, Any], name: str) -> None:
    """Show risk, next spend and reasons."""
    table = result.table_of(row, name)
    predicted, reasons = result.predict(table).to_pylist()[0], result.reasons(table).to_pylist()[0]
    st.header("Prediction" + (f" for {plain(name)}" if name else ""), anchor=False)
    places = st.columns(len(result.learned), gap="large")
    for place, (task, one) in zip(places, result.learned.items(), strict=True):
        with place, st.container(border=True):
            if task == "churn":
                _show_risk(predicted["churn_probability"], float(one.comparison["mean"]))
            else:
                st.metric("Next spend", money(predicted["predicted_spend"]))
                if "spend_lower" in predicted:
                    st.markdown(
                        f"Eight times in ten between {money(predicted['spend_lower'])} and {money(predicted['spend_upper'])}."
                    )
            prefix = "spend_reason" if task == "spend" and "churn" in result.learned else "reason"
            said = [reasons[f"{prefix}_{number}"] for number in (1, 2, 3) if reasons[f"{prefix}_{number}"]]
            st.markdown("**Why**" if said else "Nothing about this customer sets them apart from the average one.")
            for sentence in said:
                st.markdown(f"{'▲' if ': +' in sentence else '▼'} {plain(sentence)}")
            if said and not one.model.is_exact:
                st.markdown(aside("Shares of the columns are estimated: this model has no exact way."))


def _show_risk(chance: float, mean: float) -> None:
    """Show the risk in figures, colour, shape and words."""
    is_high = chance >= 0.5
    st.metric("Risk of churn", share(chance))
    if is_high:
        st.badge("▲ High risk: more likely to leave than to stay", color="red")
    else:
        st.badge("● Low risk: more likely to stay than to leave", color="green")
    beside = "as high as" if abs(chance - mean) < 0.005 else "above" if chance > mean else "below"
    st.markdown(f"{share(chance)} is {beside} the share of churn among all customers ({share(mean)}).")


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


show()
