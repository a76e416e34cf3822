"""Telco and Smart Sales: the figures the documentation shows, and what the product has to find out by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.csv as pa_csv
import pytest
from typer.testing import CliRunner

from customer_genome.interfaces.cli import app
from customer_genome.interfaces.commands.profiles import chosen_columns
from customer_genome.profile_files import keep_customers, kept_customer, kept_ids, read_table
from customer_genome.stages.labelled import LabelledResult, learn
from customer_genome.workspace import Workspace
from labelled_customers import labelled_customers


def trained(path: Path, tmp: Path) -> LabelledResult:
    """Learn a file as the command does, with labels and id recognised by name."""
    table, _ = read_table(path, tmp)
    labels, id_column, _ = chosen_columns(table, None, None, None)
    return learn(table, id_column=id_column, label_columns=labels, seed=7)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_telco_reaches_its_targets(genome_data, tmp_path):
    result = trained(genome_data / "telco_churn.csv", tmp_path)
    rows = {row["candidate"]: row["figures"] for row in result.comparison["churn"]["rows"]}
    for name in (result.comparison["churn"]["chosen"], "choosing anew"):
        assert rows[name]["auc_mean"] >= 0.849 and rows[name]["auc"] >= 0.849 and rows[name]["ece"] <= 0.02
    assert rows["one column alone"]["auc"] < 0.75 and not result.learned["churn"].alarms
    total = next(column for column in result.columns if column.name == "TotalCharges")
    assert total.kind == "number" and total.n_missing == 11
    assert {"tenure", "Contract"} == {row["column"] for row in result.learned["churn"].importance[:2]}


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_smart_sales_is_found_out(genome_data, tmp_path):
    result = trained(genome_data / "smart_sales_customers.csv", tmp_path)
    churn, spend = result.learned["churn"], result.learned["spend"]
    alone, together = churn.alarms
    assert alone.columns == ("Days_Since_Last_Purchase",) and alone.rule == "Days_Since_Last_Purchase above 182.5"
    assert set(together.columns) == {"Days_Since_Last_Purchase", "Support_Tickets"} and together.right == 1.0
    assert max(row["figures"]["auc"] for row in churn.with_alarms["rows"]) > 0.999
    assert max(row["figures"]["auc"] for row in churn.comparison["rows"]) < 0.65
    rows = {row["candidate"]: row["figures"] for row in spend.comparison["rows"]}
    assert round(rows["same as one column"]["r2"], 3) == round(rows["linear regression"]["r2"], 3) == 0.957
    assert spend.model.name == "same as one column"
    assert any(
        "Next_Month_Spend_Label: a model adds nothing here" in word and "Last_Month_Spend as it stands" in word
        for word in result.words
    )


def test_the_commands_train_predict_and_say_what_they_took_for_granted(tmp_path):
    source, workspace, output = tmp_path / "customers.csv", tmp_path / "shop", tmp_path / "predicted.csv"
    table = labelled_customers(n=130)
    pa_csv.write_csv(table, source)
    ended = CliRunner().invoke(
        app, ["profiles", "train", str(source), "--workspace", str(workspace), "--progress", "none", "--drop", "age"]
    )
    assert ended.exit_code == 0, ended.output
    for said in (
        "Taken for the churn label by its name: Churn",
        "Who churns",
        "What is spent next",
        "Stored as profiles v00001",
        "→",
    ):
        assert said in ended.stdout
    ended = CliRunner().invoke(
        app, ["profiles", "predict", str(source), "--workspace", str(workspace), "--output", str(output), "--json"]
    )
    about = json.loads(ended.stdout)
    assert about["rows"] == 130 and about["model"] == "v00001" and about["notices"] == []
    written = pa_csv.read_csv(output)
    assert written.column_names[:3] == ["customer_id", "churn_probability", "predicted_spend"] and written.num_rows == 130
    assert written.column_names[5:] == [*(f"reason_{n}" for n in (1, 2, 3)), *(f"spend_reason_{n}" for n in (1, 2, 3))]


def test_what_cannot_be_told_is_asked_for(tmp_path):
    source = tmp_path / "customers.csv"
    pa_csv.write_csv(
        labelled_customers(n=60).rename_columns(["customer_id", "usage", "plan", "last_spend", "age", "gone", "later"]), source
    )
    ended = CliRunner().invoke(app, ["profiles", "train", str(source), "--workspace", str(tmp_path / "w")])
    assert ended.exit_code == 2 and "No column is called like a label" in ended.output and "--churn-label" in ended.output
    ended = CliRunner().invoke(
        app, ["profiles", "predict", str(source), "-w", str(tmp_path / "w"), "-o", str(tmp_path / "out.xml")]
    )
    assert ended.exit_code == 2 and ".csv or .parquet" in ended.output


def test_a_backtest_of_a_labelled_table_leads_to_profiles(tmp_path):
    source = tmp_path / "customers.csv"
    pa_csv.write_csv(labelled_customers(n=60), source)
    ended = CliRunner().invoke(app, ["backtest", str(source), "--workspace", str(tmp_path / "w"), "--progress", "none"])
    assert ended.exit_code == 1 and "genome profiles train" in ended.output


def test_kept_customers_have_no_labels_and_can_be_erased(tmp_path):
    from customer_genome.erasure import forget

    place = Workspace(tmp_path)
    place.prepare()
    table = labelled_customers(n=80)
    result = learn(table, id_column="customer_id", label_columns=["Churn"])
    assert keep_customers(place, table, result) == 80 and len(kept_ids(place)) == 80
    found = kept_customer(place, "c0007")
    assert (
        found is not None
        and "Churn" not in found.column_names
        and result.predict(found).equals(result.predict(table.slice(7, 1)))
    )
    forget(place, "c0007")
    assert kept_customer(place, "c0007") is None and len(kept_ids(place)) == 79
    assert keep_customers(place, table, result) == 79, "who was erased does not come back"
