"""Labelled tables, whole path: what is learned, refused, alarmed about, stored and predicted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from customer_genome.errors import AskError, ContractError, RegistryError
from customer_genome.models.profiles.columns import number_in, read_values, typed
from customer_genome.models.profiles.comparing import dealt, one_part, split_of
from customer_genome.models.profiles.listed import FEW, learners_for
from customer_genome.registry import load_model, save_model
from customer_genome.stages.labelled import LabelledResult, learn
from labelled_customers import labelled_customers

BOTH = ("Churn", "next_month_spend")


@pytest.fixture(scope="module")
def learned() -> tuple[pa.Table, LabelledResult]:
    """A table of both labels, and what was learned from it."""
    table = labelled_customers(n=190)
    return table, learn(table, id_column="customer_id", label_columns=BOTH, seed=3)


def truth(table: pa.Table) -> np.ndarray:
    return np.array([value == "Yes" for value in table["Churn"].to_pylist()], dtype=float)


def test_both_labels_are_told_by_their_values_and_predicted_better_than_by_formulas(learned):
    table, result = learned
    assert {task: one.model.label for task, one in result.learned.items()} == {"churn": "Churn", "spend": "next_month_spend"}
    spend = result.comparison["spend"]
    rows = {row["candidate"]: row["figures"] for row in spend["rows"]}
    assert spend["chosen"] not in ("everybody alike", "same as one column")
    assert rows[spend["chosen"]]["r2"] > 0.8 > rows["same as one column"]["r2"]
    predicted = result.predict(table)
    assert predicted.column_names == ["customer_id", "churn_probability", "predicted_spend", "spend_lower", "spend_upper"]
    chance = predicted["churn_probability"].to_numpy()
    assert ((chance >= 0) & (chance <= 1)).all() and chance[truth(table) > 0].mean() > chance[truth(table) == 0].mean() + 0.1
    low, middle, high = (predicted[name].to_numpy() for name in ("spend_lower", "predicted_spend", "spend_upper"))
    assert (low <= middle).all() and (middle <= high).all() and (low >= 0).all()
    assert 0.05 <= spend["ranges"]["below"] + spend["ranges"]["above"] <= 0.3


def test_every_figure_has_an_error_and_chances_mean_what_they_say(learned):
    _, result = learned
    for one in result.learned.values():
        for row in one.comparison["rows"]:
            assert set(row["errors"]) <= set(row["figures"]) and all(
                value is None or value >= 0 for value in row["errors"].values()
            )
    rows = {row["candidate"]: row["figures"] for row in result.comparison["churn"]["rows"]}
    assert abs(rows[result.comparison["churn"]["chosen"]]["bias"] - 1) < 0.1


def test_reasons_add_up_and_name_what_made_the_label(learned):
    table, result = learned
    model = result.learned["churn"].model
    found = model.explain(result.read(table))
    assert np.allclose(found.base + found.values.sum(axis=1), model.predict(result.read(table)), atol=1e-9) and found.is_exact
    assert {row["column"] for row in result.learned["churn"].importance[:2]} == {"usage", "plan"}
    first = result.reasons(table)["reason_1"].to_pylist()
    assert sum(reason is not None and reason.endswith("points") for reason in first) > len(first) / 2


def test_a_stored_result_predicts_identically_and_reads_columns_by_name(learned, tmp_path):
    table, result = learned
    result.save(tmp_path)
    again = LabelledResult.load(tmp_path)
    assert again.predict(table).equals(result.predict(table)) and again.reasons(table).equals(result.reasons(table))
    assert again.words == result.words and again.comparison == result.comparison
    turned = table.select(list(reversed(table.column_names)))
    assert again.predict(turned).equals(result.predict(table))
    assert any("another order" in notice for notice in again.notices_for(turned)) and not again.notices_for(table)


def test_a_table_that_does_not_fit_is_refused_by_name(learned):
    table, result = learned
    renamed = table.rename_columns([{"usage": "usages"}.get(name, name) for name in table.column_names])
    with pytest.raises(ContractError, match=r'"usage".*missing.*Did you mean "usages"'):
        result.predict(renamed)
    with pytest.raises(ContractError, match='"last_spend" holds "a lot"'):
        result.predict(table.set_column(3, "last_spend", pa.array(["a lot"] * table.num_rows)))
    odd = table.set_column(2, "plan", pa.array(["weekly"] * table.num_rows))
    assert any('"weekly"' in notice for notice in result.notices_for(odd)) and result.predict(odd).num_rows == table.num_rows


def test_each_customer_is_predicted_alone(learned):
    table, result = learned
    assert result.predict(table.slice(7, 1)).equals(result.predict(table).slice(7, 1))


def test_the_same_table_and_seed_give_the_same_whatever_the_order_of_rows():
    table = labelled_customers(n=120)
    shuffled = table.take(np.random.default_rng(5).permutation(table.num_rows))
    one, other = (learn(each, id_column="customer_id", label_columns=["Churn"], seed=3) for each in (table, shuffled))
    assert one.comparison == other.comparison and one.predict(table).equals(other.predict(table))


def test_a_stored_model_cannot_smuggle_in_code(learned, tmp_path):
    _, result = learned
    result.save(tmp_path)
    stored = load_model(tmp_path, "profiles")
    foreign = {**stored.arrays, "churn.fitted.kind": np.array(["evil"])}
    version = save_model(tmp_path, "profiles", foreign, {})
    with pytest.raises(RegistryError, match='"evil"'):
        LabelledResult.load(tmp_path, version)
    with pytest.raises(RegistryError, match="genome profiles train"):
        LabelledResult.load(tmp_path / "nowhere")


# --- what gives the label away -------------------------------------------------------------------------------------


def test_a_column_that_is_the_label_is_named_and_left_out():
    table = labelled_customers(reason=lambda columns, rng: ["moved" if one == "Yes" else None for one in columns["Churn"]])
    result = learn(table, id_column="customer_id", label_columns=["Churn"])
    one = result.learned["churn"]
    assert [alarm.columns for alarm in one.alarms] == [("reason",)] and one.alarms[0].right == 1.0
    assert "reason" not in [column.name for column in one.model.columns]
    assert any(word.startswith("ALARM: reason alone tells Churn almost perfectly") for word in result.words)
    with_it = {row["candidate"]: row["figures"]["auc"] for row in one.with_alarms["rows"]}
    without = {row["candidate"]: row["figures"]["auc"] for row in one.comparison["rows"]}
    assert with_it["logistic regression"] > 0.999 > 0.95 > without["logistic regression"]
    kept = learn(table, id_column="customer_id", label_columns=["Churn"], keep=["reason"])
    assert not kept.learned["churn"].alarms and "reason" in [column.name for column in kept.learned["churn"].model.columns]


def test_a_rule_of_two_columns_is_found_and_said():
    def label(columns, rng):
        return [
            "1" if float(usage) + 2 * float(age) > 150 else "0"
            for usage, age in zip(columns["usage"], columns["age"], strict=True)
        ]

    result = learn(
        labelled_customers(n=190, left=label).drop_columns(["Churn", "next_month_spend"]),
        id_column="customer_id",
        label_columns=["left"],
    )
    alarm = result.learned["churn"].alarms[-1]
    assert set(alarm.columns) == {"age", "usage"} and alarm.right is not None and alarm.right > 0.98
    assert "above" in alarm.rule


def test_a_rule_with_a_kept_column_is_said_and_takes_nothing_out():
    def label(columns, rng):
        return [
            "1" if float(usage) + 2 * float(age) > 150 else "0"
            for usage, age in zip(columns["usage"], columns["age"], strict=True)
        ]

    table = labelled_customers(n=190, left=label).drop_columns(["Churn", "next_month_spend"])
    one = learn(table, id_column="customer_id", label_columns=["left"], keep=["age"]).learned["churn"]
    assert not one.alarms and {"age", "usage"} <= {column.name for column in one.model.columns}
    assert any(word.startswith("ALARM") and "No column was left out for it" in word for word in one.words)


def test_columns_called_like_a_label_are_left_out_unless_kept():
    table = labelled_customers(**{"Churn Score": lambda columns, rng: rng.normal(size=len(columns["Churn"]))})
    result = learn(table, id_column="customer_id", label_columns=["Churn"])
    assert (
        "called like a label" in result.left_out["Churn Score"] and "called like a label" in result.left_out["next_month_spend"]
    )


def test_where_one_column_says_it_all_the_formula_is_used_and_said():
    table = labelled_customers(
        n=190, next_spend=lambda columns, rng: [f"{float(v) + 5 * rng.normal():.2f}" for v in columns["last_spend"]]
    )
    result = learn(
        table.drop_columns(["Churn", "next_month_spend"]), id_column="customer_id", label_columns={"spend": "next_spend"}
    )
    model = result.learned["spend"].model
    assert model.name == "same as one column"
    assert any("a model adds nothing here" in word and "last_spend as it stands" in word for word in result.words)
    new = pa.table({"usage": ["50"], "plan": ["monthly"], "last_spend": ["712.5"], "age": ["30"]})
    assert result.predict(new)["predicted_spend"].to_pylist() == [712.5]


# --- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "wanted"),
    [
        ({"Churn": lambda c, rng: ["yes"] * len(c["Churn"])}, "Every one of 160 customers has the same.*20 who stayed"),
        ({"Churn": lambda c, rng: ["1"] * 12 + ["0"] * (len(c["Churn"]) - 12)}, "Only 12 of 160 customers churned.*at least 20"),
        ({"Churn": lambda c, rng: [None] * len(c["Churn"])}, "empty in every row"),
        (
            {"Churn": lambda c, rng: ["TRUE", "no"] * 20 + [None] * (len(c["Churn"]) - 40)},
            "Only 40 customers have a.*at least 50",
        ),
        ({"Churn": lambda c, rng: ["yes", "no", "perhaps", "no"] * (len(c["Churn"]) // 4)}, "'perhaps'.*churn-value"),
        ({"customer_id": lambda c, rng: ["a", "b"] * (len(c["Churn"]) // 2)}, "2 customers stand in several rows that differ"),
        ({"customer_id": lambda c, rng: [None, *c["customer_id"][1:]]}, '1 of 160 rows have no "customer_id"'),
    ],
)
def test_bad_tables_are_refused_with_what_would_be_needed(columns, wanted):
    with pytest.raises(ContractError, match=wanted):
        learn(labelled_customers(**columns), id_column="customer_id", label_columns={"churn": "Churn"})


def test_names_that_are_not_there_are_refused_with_near_ones():
    with pytest.raises(ContractError, match=r'no label column "Chrn".*Did you mean "Churn"'):
        learn(labelled_customers(), id_column="customer_id", label_columns=["Chrn"])
    with pytest.raises(ContractError, match='no column "agee"'):
        learn(labelled_customers(), id_column="customer_id", label_columns=["Churn"], drop=["agee"])
    with pytest.raises(ContractError, match="No label column"):
        learn(labelled_customers(), id_column="customer_id", label_columns=[])
    with pytest.raises(ContractError, match="no numbers"):
        learn(labelled_customers(), id_column="customer_id", label_columns={"spend": "plan"})


def test_two_values_that_could_mean_either_are_asked_about():
    table = labelled_customers(Churn=lambda c, rng: ["A" if one == "Yes" else "B" for one in c["Churn"]])
    with pytest.raises(AskError, match="churn-value"):
        learn(table, id_column="customer_id", label_columns={"churn": "Churn"})
    said = learn(table, id_column="customer_id", label_columns={"churn": "Churn"}, churn_value="A")
    plain = learn(labelled_customers(), id_column="customer_id", label_columns={"churn": "Churn"})
    assert said.comparison == plain.comparison


def test_few_of_a_class_are_learned_from_with_a_word_of_caution():
    table = labelled_customers(n=200, Churn=lambda c, rng: ["1" if number % 9 == 0 else "0" for number in range(len(c["Churn"]))])
    result = learn(table, id_column="customer_id", label_columns=["Churn"])
    assert any("few customers" in word for word in result.words)
    assert any("a model adds nothing here" in word for word in result.words), "a label made by counting cannot be predicted"


def test_repeated_rows_count_once_and_unlabelled_ones_are_predicted():
    table = labelled_customers(n=140)
    repeated = pa.concat_tables([table, table.slice(0, 5)])
    result = learn(repeated, id_column="customer_id", label_columns=["Churn"])
    assert any("5 rows repeat" in notice for notice in result.notices)
    assert result.comparison == learn(table, id_column="customer_id", label_columns=["Churn"]).comparison
    open_ = table.set_column(5, "Churn", pa.array([*table["Churn"].to_pylist()[:-20], *[""] * 20]))
    result = learn(open_, id_column="customer_id", label_columns={"churn": "Churn"})
    assert any("empty for 20 of 140" in word for word in result.words) and result.predict(open_).num_rows == 140


def test_constant_and_empty_columns_and_ids_are_left_out_and_said():
    table = labelled_customers(
        same=lambda c, rng: ["x"] * len(c["Churn"]),
        nothing=lambda c, rng: [""] * len(c["Churn"]),
        note=lambda c, rng: [f"note {number}" for number in range(len(c["Churn"]))],
        row=lambda c, rng: list(range(len(c["Churn"]))),
    )
    result = learn(table, id_column="customer_id", label_columns=["Churn"])
    assert {"same", "nothing", "note", "row"} <= set(result.left_out)
    assert any('every row holds the same value ("x")' in notice for notice in result.notices)


def test_arrow_types_give_what_text_gives():
    table = labelled_customers(n=130)
    typed = table.set_column(1, "usage", pa.array([float(value) for value in table["usage"].to_pylist()]))
    typed = typed.set_column(4, "age", pa.array([int(value) for value in table["age"].to_pylist()]))
    typed = typed.set_column(5, "Churn", pa.array([value == "Yes" for value in table["Churn"].to_pylist()]))
    one, other = (learn(each, id_column="customer_id", label_columns=["Churn"]) for each in (table, typed))
    assert one.comparison == other.comparison


def test_numbers_are_read_as_they_are_written():
    assert number_in("1,234.5") == 1234.5 and number_in("1.234,5", ",") == 1234.5 and number_in("€ 12") == 12
    assert np.isnan(number_in("1,23,4.5")) and np.isnan(number_in("12-03")) and np.isnan(number_in("."))


def test_labels_of_customers_held_back_change_no_prediction_made_for_them():
    table = labelled_customers(n=120)
    columns, _ = typed(table, ["usage", "plan", "age"])
    values, _ = read_values(table, columns)
    y, (learners, _) = truth(table), learners_for("churn", names=FEW)
    held_back = dealt(y, 5, 7) == 2
    other = y.copy()
    other[held_back] = 1 - y[held_back]
    parts = [
        one_part(
            split_of(values, columns, labels, np.flatnonzero(~held_back), np.flatnonzero(held_back)),
            columns,
            "churn",
            learners,
            9,
        )
        for labels in (y, other)
    ]
    assert parts[0].choice == parts[1].choice
    for name, chances in parts[0].predicted.items():
        assert np.array_equal(chances, parts[1].predicted[name]), name


def test_the_card_names_the_features_in_order(learned, tmp_path: Path):
    _, result = learned
    result.save(tmp_path)
    card = load_model(tmp_path, "profiles").card
    assert card["features"] == [column.name for column in result.columns] and str(tmp_path) not in str(card)
