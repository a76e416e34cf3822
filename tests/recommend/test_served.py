"""Lists as a run publishes them: nobody sees an owned item under "new", what is left out stays out, the screens agree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from customer_genome import Genome, run, simulate
from customer_genome.decisions.playbooks import parse_playbooks
from customer_genome.errors import SettingsError, SnapshotError
from customer_genome.interfaces.report.page import render_report
from customer_genome.interfaces.views.lists import lists_of, quality_rows, together_with
from customer_genome.rules import read_playbooks
from customer_genome.stages.recommending import PHRASE, name_companions
from customer_genome.warehouse.duckdb import DuckDBEngine

TASTES = ("TEA", "CUP", "POT", "JAR", "CAN", "BOX", "BAG", "TIN")


@pytest.fixture(scope="module")
def lines() -> pa.Table:
    """Return a simulated shop with ten products, one of them never sold again after the first month."""
    table = simulate(n_lines=3_000, seed=11).order_lines().read_all()
    names = [f"{TASTES[number % len(TASTES)]} {number % 40}" for number in range(table.num_rows)]
    table = table.drop_columns([name for name in ("product_id", "description") if name in table.column_names])
    return table.append_column("StockCode", pa.array([name.replace(" ", "") for name in names])).append_column(
        "Description", pa.array(names)
    )


@pytest.fixture(scope="module")
def published(lines: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Genome]:
    folder = tmp_path_factory.mktemp("lists")
    run(lines, folder, settings={"recommend": {"exclude": ["tea0", "nothing like it"], "top": 5}})
    with Genome.open(folder) as genome:
        yield genome


def test_no_customer_sees_an_owned_item_under_new(published: Genome, lines: pa.Table) -> None:
    rows = published.query("select customer_id, view, product_id from recommendations").to_pylist()
    who = next(name for name in lines.column_names if "customer" in name.lower())
    owned = set(zip(lines[who].cast(pa.string()).to_pylist(), lines["StockCode"].to_pylist(), strict=True))
    assert {row["view"] for row in rows} == {"all", "new", "again"}
    assert not {(row["customer_id"], row["product_id"]) for row in rows if row["view"] == "new"} & owned
    assert {(row["customer_id"], row["product_id"]) for row in rows if row["view"] == "again"} <= owned


def test_lists_are_whole_ranked_and_explained(published: Genome) -> None:
    table = published.table("recommendations")
    assert pc.min(table["rank"]).as_py() == 1 and pc.max(table["rank"]).as_py() == 5
    assert table["reason"].null_count == 0 and "" not in table["reason"].to_pylist()
    assert "TEA0" not in table["product_id"].to_pylist()
    customers = published.query("select count(*) as n from customers")["n"][0].as_py()
    assert pc.count_distinct(table["customer_id"]).as_py() == customers
    assert any("nothing like it" in notice for notice in published.manifest["notices"])


def test_a_customers_lists_and_what_goes_with_a_product(published: Genome) -> None:
    someone = published.table("recommendations")["customer_id"][0].as_py()
    found = lists_of(published, someone, ["again", "new"], 3)
    assert [row["rank"] for row in found["lists"]["new"]] == [1, 2, 3] and set(found["quality"]) == {"again", "new"}
    assert all(text.startswith("made by ") for text in found["quality"].values())
    unknown = lists_of(published, "nobody at all", ["again", "new"], 3)
    assert not unknown["is_known"] and "Nearest ids" in unknown["words"] and "popular with everybody" in unknown["words"]
    assert [row["rank"] for row in unknown["lists"]["new"]] == [1, 2, 3] and not unknown["lists"]["again"]
    assert unknown["lists"]["new"][0]["reason"].startswith("bought by ")
    assert together_with(published, "cup 1", 5)["product_id"] == "CUP1"
    with pytest.raises(SnapshotError, match="a product's id or its whole name"):
        together_with(published, "CUP 1000", 5)


def test_actions_name_an_item_that_goes_with_what_was_bought_where_one_is_known() -> None:
    engine = DuckDBEngine()
    action = "Welcome: suggest what goes with it and give a reason to return."
    engine.write("decided_customers", pa.table({"customer_id": ["1", "2"], "recommended_action": [action, action], "n": [3, 4]}))
    listed = {
        "customer_id": ["1", "1"],
        "view": ["with", "new"],
        "description": ["MUG", "HAT"],
        "reason": ["goes with CUP", "popular"],
    }
    engine.write("recommendations", pa.table(listed))
    name_companions(engine)
    rows = engine.fetch("select * from scored_customers order by customer_id").to_pylist()
    assert rows[0] == {
        "customer_id": "1", "recommended_action": "Welcome: suggest MUG (goes with CUP) and give a reason to return.", "n": 3
    }  # fmt: skip
    assert rows[1]["recommended_action"] == action
    playbooks = parse_playbooks(read_playbooks(None))
    assert any(PHRASE in str(book.action) for book in playbooks if book.name == "High-Potential Newcomers")
    engine.close()


def test_the_report_shows_how_good_the_lists_are(published: Genome) -> None:
    page = render_report(published)
    assert "What to offer" in page
    assert all(words in page.replace("&#39;", "'") for words, _ in quality_rows(published).values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "wanted"), [({"enabled": False}, None), ({"item": "colour"}, "Wanted one of: product_id, description")]
)
def test_lists_can_be_switched_off_and_a_wrong_level_is_refused(
    lines: pa.Table, tmp_path: Path, settings: dict[str, object], wanted: str | None
) -> None:
    few = lines.slice(0, 300)
    if wanted:
        with pytest.raises(SettingsError, match=wanted):
            run(few, tmp_path, settings={"recommend": settings})
        return
    run(few, tmp_path, settings={"recommend": settings})
    with Genome.open(tmp_path) as genome:
        assert "recommendations" not in genome.tables()
        with pytest.raises(SnapshotError, match="no recommendations"):
            lists_of(genome, "1", ["new"], 3)
