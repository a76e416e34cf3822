"""Predicting from orders: a customer as published gets what was published, another history moves all facts together, nonsense is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from customer_genome.answers.what_if import History, WhatIf, imagined_orders, typical_record
from customer_genome.errors import SettingsError
from customer_genome.genome import Genome
from customer_genome.interfaces.dashboard import session
from customer_genome.interfaces.dashboard.predict_shop import unknown_to
from customer_genome.interfaces.serving.server import APP, WORKSPACE_VARIABLE
from customer_genome.interfaces.views.figures import money, share
from published_shops import publish_simulated


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published simulated shop."""
    workspace = tmp_path_factory.mktemp("shop")
    publish_simulated(workspace)
    return workspace


@pytest.fixture(scope="module")
def genome(shop: Path):
    """The version of the shop."""
    with Genome.open(shop) as opened:
        yield opened


def some(genome: Genome, n: int) -> list[dict]:
    """Return customers drawn by digest."""
    ids = genome.query("select customer_id from customers order by md5(customer_id) limit ?", [n]).column(0).to_pylist()
    return [genome.customer(name) for name in ids]


def test_the_own_history_gives_what_was_published_segment_too(genome):
    asked = WhatIf.of(genome)
    for record in some(genome, 4):
        found, segment = asked.predicted(genome, record, History.of(record))
        assert found.risk == pytest.approx(record["churn_probability"], abs=1e-9)
        assert found.spend == pytest.approx(record["predicted_spend"], rel=1e-9)
        assert segment == record["segment_name"]


def test_longer_silence_raises_the_risk_and_larger_orders_the_spend(genome):
    asked = WhatIf.of(genome)
    typical = typical_record(genome)
    history = replace(History.of(typical), orders=6, first_days=400, last_days=5)
    lately, _ = asked.predicted(genome, typical, history)
    quiet, _ = asked.predicted(genome, typical, replace(history, last_days=300))
    large, _ = asked.predicted(genome, typical, replace(history, order_value=10 * history.order_value))
    assert quiet.risk > lately.risk and large.spend > lately.spend
    assert all(one.lower <= one.spend <= one.upper for one in (lately, quiet, large))


@pytest.mark.parametrize("n", [1, 2, 9])
def test_imagined_orders_have_the_history_they_are_made_from(genome, n):
    record = max(some(genome, 30), key=lambda one: one["n_orders"])
    wanted = History(n, 200 if n > 1 else 40, 40, 12.5)
    for orders in (genome.orders_of(record["customer_id"]), genome.orders_of(record["customer_id"]).slice(0, 0)):
        made = imagined_orders(wanted, record, orders).to_pylist()
        days = [row["ordered_on"] for row in made]
        assert len(made) == n and sum(row["money"] for row in made) == pytest.approx(12.5 * n)
        assert (record["as_of"] - min(days)).days == wanted.first_days and (record["as_of"] - max(days)).days == wanted.last_days
        assert days == sorted(days) and all(row["n_lines"] >= 1 and row["money"] >= 0 for row in made)


@pytest.mark.parametrize(
    "wrong", [(0, 5, 5, 1.0), (3, 5, 9, 1.0), (1, 9, 5, 1.0), (2, 5, 0, 1.0), (2, 5, 5, 0.0), (2, 5, 5, float("nan"))]
)
def test_histories_that_cannot_be_are_refused(wrong):
    with pytest.raises(SettingsError, match="cannot be"):
        History(*wrong)


def test_what_no_customer_has_is_said():
    ranges = {"orders": (1.0, 9.0), "first_days": (1.0, 700.0), "last_days": (1.0, 700.0), "order_value": (2.0, 80.0)}
    assert unknown_to(History(9, 700, 1, 80.0), ranges) == []
    assert [text.split(":")[0] for text in unknown_to(History(10, 701, 1, 1.0), ranges)] == [
        "Orders",
        "Days since the first order",
        "Money per order",
    ]


def page(monkeypatch: pytest.MonkeyPatch, workspace: Path, role: str = "admin") -> AppTest:
    """The page as a visitor with a role sees it."""
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(workspace))
    monkeypatch.setattr(session, "role_of_visitor", lambda: role)
    return AppTest.from_file(APP, default_timeout=120).run().switch_page("predict.py").run()


def test_the_page_answers_as_the_models_do(shop, genome, monkeypatch):
    (record,) = some(genome, 1)
    name = record["customer_id"]
    app = page(monkeypatch, shop)
    app.selectbox(key="shop_customer").set_value(name).run()
    assert not app.exception and not app.error
    cards = {card.label: card.value for card in app.metric}
    days = record["horizon_days"]
    assert cards == {
        f"Risk, {days} days": share(record["churn_probability"]),
        f"Spend in {days} days": money(record["predicted_spend"], "GBP"),
    }
    app.number_input(key=f"shop.{name}.order_value").set_value(500.0).run()
    changed, segment = WhatIf.of(genome).predicted(genome, record, replace(History.of(record), order_value=500.0))
    cards = {card.label: card.value for card in app.metric}
    assert cards[f"Spend in {days} days"] == money(changed.spend, "GBP")
    words = " ".join(one.value for one in app.markdown).replace("\\", "")
    assert f"Segment: **{segment}**" in words
    assert any("Money per order" in one.value for one in app.warning) == (
        genome.query("select max(mean_order_value) as m from customers")["m"][0].as_py() < 500
    )


def test_a_viewer_types_a_customer_in_and_is_offered_no_id(shop, monkeypatch):
    app = page(monkeypatch, shop, "viewer")
    assert not app.exception and not [box for box in app.selectbox if box.key == "shop_customer"]
    assert {card.label.split(",")[0].split(" in ")[0] for card in app.metric} == {"Risk", "Spend"}
    assert app.number_input(key="shop..orders").value >= 1
