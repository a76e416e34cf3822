"""Laws of the simulator: same seed, same rows; faults never touch clean lines; refunds never exceed purchases."""

import datetime as dt

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_genome.contracts import INPUT_TABLES
from customer_genome.errors import SettingsError
from customer_genome.sources.synthetic import Promotion, PurchaseParameters, SpendParameters, simulate

MESSY = {
    "refund_rate": 0.05,
    "duplicate_rate": 0.02,
    "missing_customer_rate": 0.03,
    "zero_price_rate": 0.01,
    "zero_quantity_rate": 0.01,
    "missing_date_rate": 0.01,
}
SUMMER = Promotion("summer", dt.date(2023, 6, 1), dt.date(2023, 6, 30), discount=0.25, share_of_lines=0.5, lift=3.0)


def rows(shop, **options):
    return shop.order_lines(**options).read_all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**40), batch=st.integers(1, 5_000), n=st.integers(1, 1_500))
def test_same_seed_same_rows_whatever_the_batch(seed, batch, n):
    shop = simulate(n, days=60, seed=seed, **MESSY)
    whole = rows(shop)
    batches = list(shop.order_lines(batch))
    assert all(each.num_rows == batch for each in batches[:-1])
    assert pa.Table.from_batches(batches, schema=shop.schema).equals(whole)


def test_another_seed_gives_other_rows():
    assert not rows(simulate(50, seed=1)).equals(rows(simulate(50, seed=2)))


def test_the_first_customers_are_the_same_however_many_there_are():
    few, many = simulate(700, days=90, seed=3, **MESSY), simulate(2_100, days=90, seed=3, **MESSY)
    known = set(few.truth()["customer_id"].to_pylist())
    assert few.truth().equals(many.truth().slice(0, 700))
    theirs = [row for row in rows(many).to_pylist() if row["customer_id"] in known]
    assert [row for row in rows(few).to_pylist() if row["customer_id"] is not None] == theirs


def test_faults_never_touch_the_clean_lines():
    options = {"n_customers": 1_200, "days": 120, "seed": 5}
    clean, messy = rows(simulate(**options)), rows(simulate(**options, **MESSY), with_class=True)
    kept = messy.filter(pc.equal(messy["row_class"], "kept"))
    columns = [name for name in clean.column_names if name != "order_id"]
    assert kept.select(columns).equals(clean.select(columns))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), rate=st.floats(0.05, 1.0))
def test_refunds_never_exceed_purchases_at_any_moment(seed, rate):
    table = rows(simulate(200, days=90, seed=seed, refund_rate=rate, refund_delay_days=5.0))
    owned: dict[tuple[int, str], int] = {}
    n_refunds = 0
    for row in sorted(table.to_pylist(), key=lambda each: (each["ordered_at"], -each["quantity"])):
        key = row["customer_id"], row["product_id"]
        owned[key] = owned.get(key, 0) + row["quantity"]
        assert owned[key] >= 0
        assert row["order_id"].startswith("C") == (row["quantity"] < 0)
        n_refunds += row["quantity"] < 0
    assert n_refunds > 0


def test_orders_are_inside_the_window_and_by_time():
    shop = simulate(900, start=dt.date(2024, 2, 1), days=45, seed=2, hidden_days=100)
    times = rows(shop)["ordered_at"].to_numpy()
    assert (np.diff(times) >= np.timedelta64(0)).all()
    assert times[0] >= np.datetime64("2024-02-01") and times[-1] < np.datetime64("2024-03-17")
    assert shop.ends_before == dt.date(2024, 3, 17)
    hours = (times - times.astype("datetime64[D]")).astype("timedelta64[s]").astype(int) / 3600
    assert hours.min() >= 8 and hours.max() < 20


def test_an_order_has_one_customer_one_time_and_distinct_products():
    table = rows(simulate(1_100, days=120, seed=9, mean_lines=6.0))
    grouped = table.group_by("order_id").aggregate(
        [
            ("customer_id", "count_distinct"),
            ("ordered_at", "count_distinct"),
            ("product_id", "count_distinct"),
            ("product_id", "count"),
        ]
    )
    assert pc.max(grouped["customer_id_count_distinct"]).as_py() == 1
    assert pc.max(grouped["ordered_at_count_distinct"]).as_py() == 1
    assert grouped["product_id_count_distinct"].equals(grouped["product_id_count"])
    assert table.group_by(table.column_names).aggregate([]).num_rows == table.num_rows


def test_ledger_counts_every_row_once_and_agrees_with_the_stream():
    shop = simulate(1_500, days=120, seed=4, **MESSY)
    table, ledger = rows(shop, with_class=True), shop.ledger()
    assert sum(count for count, _ in ledger.values()) == table.num_rows
    seen = dict(zip(*[column.to_pylist() for column in table["row_class"].value_counts().flatten()], strict=True))
    assert {name: count for name, (count, _) in ledger.items()} == seen
    assert set(ledger) == {"kept", "duplicate", "cancelled", "no_customer", "bad_price", "bad_quantity", "bad_date"}
    money = sum(row["quantity"] * row["price"] for row in table.to_pylist())
    assert sum(amount for _, amount in ledger.values()) == pytest.approx(money, abs=0.05)
    assert ledger["cancelled"][1] < 0 and ledger["bad_price"][1] == ledger["bad_quantity"][1] == 0


def test_each_class_is_what_its_name_says():
    table = rows(simulate(800, days=120, seed=6, **MESSY), with_class=True).to_pylist()
    columns = [name for name in table[0] if name != "row_class"]
    clean = {tuple(row[name] for name in columns) for row in table if row["row_class"] == "kept"}
    wanted = {
        "kept": lambda row: row["quantity"] > 0 and row["price"] > 0 and None not in row.values(),
        "duplicate": lambda row: tuple(row[name] for name in columns) in clean,
        "cancelled": lambda row: row["quantity"] < 0 and row["order_id"].startswith("C") and row["discount"] == 0,
        "no_customer": lambda row: row["customer_id"] is None,
        "bad_price": lambda row: row["price"] == 0,
        "bad_quantity": lambda row: row["quantity"] == 0,
        "bad_date": lambda row: row["ordered_at"] is None,
    }
    assert all(wanted[row["row_class"]](row) for row in table)


def test_unreadable_lines_make_text_columns():
    shop = simulate(900, days=90, seed=8, unreadable_rate=0.05)
    table = rows(shop, with_class=True)
    assert {str(table.schema.field(name).type) for name in ("quantity", "price", "ordered_at")} == {"string"}
    bad = [row for row in table.to_pylist() if row["row_class"] != "kept"]
    words = {"bad_quantity": ("quantity", "many"), "bad_price": ("price", "free"), "bad_date": ("ordered_at", "soon")}
    assert {row["row_class"] for row in bad} == set(words)
    assert all(row[words[row["row_class"]][0]] == words[row["row_class"]][1] for row in bad)
    typed = rows(simulate(900, days=90, seed=8))
    kept = table.filter(pc.equal(table["row_class"], "kept"))
    assert kept["price"].cast(pa.float64()).equals(typed["price"])
    assert pc.strptime(kept["ordered_at"], "%Y-%m-%d %H:%M:%S", "us").equals(typed["ordered_at"])


def test_truth_agrees_with_the_lines():
    shop = simulate(1_300, days=200, seed=11)
    truth = {row["customer_id"]: row for row in shop.truth().to_pylist()}
    table = rows(shop)
    orders = table.group_by(["customer_id", "order_id", "country"]).aggregate([("ordered_at", "min")]).to_pylist()
    counts: dict[int, int] = {}
    for order in orders:
        person = truth[order["customer_id"]]
        counts[order["customer_id"]] = counts.get(order["customer_id"], 0) + 1
        assert person["first_ordered_at"] <= order["ordered_at_min"] <= (person["alive_until"] or order["ordered_at_min"])
        assert person["country"] == order["country"]
    assert {key: row["n_orders"] for key, row in truth.items() if row["n_orders"]} == counts
    ends = {key: max(o["ordered_at_min"] for o in orders if o["customer_id"] == key) for key in list(counts)[:200]}
    assert all(truth[key]["alive_until"] in (None, last) for key, last in ends.items())


def test_mean_spend_is_what_customers_spend():
    shop = simulate(3_000, days=365, arrival_days=1, seed=12, purchases=PurchaseParameters(r=4.0, alpha=40.0, a=0.5, b=20.0))
    table = rows(shop)
    money = pc.multiply(table["quantity"], table["price"])
    spent = pa.table({"customer_id": table["customer_id"], "money": money}).group_by("customer_id").aggregate([("money", "sum")])
    joined = spent.join(shop.truth(), "customer_id").to_pandas()
    joined = joined[joined.n_orders >= 20]
    ratio = (joined.money_sum / joined.n_orders / joined.mean_spend).mean()
    assert len(joined) > 1_000 and ratio == pytest.approx(1.0, abs=0.01)


def test_spend_and_basket_parameters_set_the_means():
    shop = simulate(5_000, days=200, seed=13, mean_lines=4.0, spend=SpendParameters(p=6.0, q=12.0, gamma=110.0))
    table = rows(shop)
    orders = table.group_by("order_id").aggregate([("price", "count")])
    assert pc.mean(orders["price_count"]).as_py() == pytest.approx(4.0, rel=0.03)
    money = pc.sum(pc.multiply(table["quantity"], table["price"])).as_py() / orders.num_rows
    assert money == pytest.approx(6.0 * 110.0 / 11.0, rel=0.03)


def test_season_moves_orders_and_closed_days_stay_empty():
    months = (1.0,) * 10 + (3.0, 3.0)
    shop = simulate(4_000, days=365, seed=14, arrival_days=30, month_multipliers=months,
                    weekday_multipliers=(1, 1, 1, 1, 1, 2, 0), purchases=PurchaseParameters(a=0.05, b=50.0))  # fmt: skip
    days = pc.unique(pc.struct_field(pc.value_counts(rows(shop)["ordered_at"].cast(pa.date32())), 0)).to_pylist()
    assert all(day.weekday() != 6 for day in days)
    when = rows(shop).group_by("order_id").aggregate([("ordered_at", "min")])["ordered_at_min"]
    per_month = np.bincount(pc.month(when).to_numpy(), minlength=13)
    assert per_month[11] / per_month[5:10].mean() == pytest.approx(3.0, rel=0.12)
    weekday = np.bincount(pc.day_of_week(when).to_numpy(), minlength=7)
    assert weekday[5] / weekday[:5].mean() == pytest.approx(2.0, rel=0.1)


def test_promotions_discount_lines_and_draw_deal_seekers():
    shop = simulate(3_000, days=365, seed=15, promotions=[SUMMER], deal_seeker_share=0.3, deal_seeker_lift=6.0)
    table = rows(shop)
    inside = pc.equal(pc.month(table["ordered_at"]), 6)
    assert pc.sum(table.filter(pc.invert(inside))["discount"]).as_py() == 0
    june = table.filter(inside)
    hit = pc.greater(june["discount"], 0)
    assert pc.mean(hit.cast(pa.float64())).as_py() == pytest.approx(0.5, abs=0.03)
    paid = pc.multiply(june["price"], june["quantity"])
    full = pc.add(paid, june["discount"])
    depth = pc.sum(june["discount"]).as_py() / pc.sum(full.filter(hit)).as_py()
    assert depth == pytest.approx(0.25, abs=0.005)
    seekers = shop.truth().filter(shop.truth()["is_deal_seeker"])["customer_id"]
    share = [
        pc.mean(pc.is_in(each["customer_id"], seekers).cast(pa.float64())).as_py()
        for each in (june, table.filter(pc.invert(inside)))
    ]
    assert share[0] > share[1] + 0.2
    assert shop.promotions_table().to_pylist() == [
        {"promotion_id": "summer", "starts_on": SUMMER.starts_on, "ends_on": SUMMER.ends_on, "discount": 0.25}
    ]


def test_taste_favours_the_favourite_category():
    shop = simulate(2_000, days=200, seed=16, taste=0.8)
    joined = (
        rows(shop)
        .select(["customer_id", "category"])
        .join(shop.truth().select(["customer_id", "favourite_category"]), "customer_id")
    )
    assert pc.mean(pc.equal(joined["category"], joined["favourite_category"]).cast(pa.float64())).as_py() > 0.8


def test_hidden_days_bring_customers_who_only_look_new():
    shop = simulate(2_000, days=100, seed=17, hidden_days=300, arrival_days=100)
    truth = shop.truth()
    born_before = pc.less(truth["first_ordered_at"], pa.scalar(dt.datetime(2023, 1, 1)))
    assert pc.mean(born_before.cast(pa.float64())).as_py() == pytest.approx(0.75, abs=0.04)
    assert pc.min(rows(shop)["ordered_at"]).as_py() >= dt.datetime(2023, 1, 1)


def test_edge_cases():
    leap = rows(simulate(3_000, start=dt.date(2024, 1, 1), days=120, seed=18, edge_cases=["leap_days"]))
    per_day = np.unique(leap["ordered_at"].cast(pa.date32()).to_numpy(), return_counts=True)
    busiest = per_day[0][per_day[1].argmax()]
    assert busiest == np.datetime64("2024-02-29")
    midnight = rows(simulate(800, days=90, seed=18, edge_cases=["midnight"]))["ordered_at"].to_numpy()
    at_zero = midnight == midnight.astype("datetime64[D]")
    assert 0.1 < at_zero.mean() < 0.3
    tied = rows(simulate(800, days=90, seed=18, edge_cases=["ties"]))
    assert set(pc.hour(tied["ordered_at"]).to_pylist()) == {12}
    nulls = rows(simulate(800, days=90, seed=18, edge_cases=["nulls"]))
    assert all(nulls[name].null_count > 0 for name in ("description", "category", "country"))
    assert nulls["customer_id"].null_count == nulls["ordered_at"].null_count == 0


def test_customer_ids_as_text_name_the_same_customers():
    number, text = rows(simulate(300, days=60, seed=19)), rows(simulate(300, days=60, seed=19, customer_ids="text"))
    assert text["customer_id"].to_pylist() == [f"K{value:09d}" for value in number["customer_id"].to_pylist()]


def test_parquet_and_csv_hold_the_stream(tmp_path):
    shop = simulate(1_500, days=90, seed=20, **MESSY)
    whole = rows(shop)
    assert shop.write_parquet(tmp_path / "all.parquet", row_group_lines=1_000) == whole.num_rows
    stored = pq.ParquetFile(tmp_path / "all.parquet")
    assert stored.read().equals(whole) and stored.num_row_groups == -(-whole.num_rows // 1_000)
    assert shop.write_parquet(tmp_path / "some.parquet", lines=1_234, row_group_lines=500) == 1_234
    assert pq.read_table(tmp_path / "some.parquet").equals(whole.slice(0, 1_234))
    assert shop.write_csv(tmp_path / "all.csv") == whole.num_rows
    assert pyarrow.csv.read_csv(tmp_path / "all.csv").num_rows == whole.num_rows


def test_number_of_lines_can_be_asked_for():
    shop = simulate(n_lines=40_000, days=365, seed=21)
    assert sum(batch.num_rows for batch in shop.order_lines()) == pytest.approx(40_000, rel=0.1)


def test_source_tables_match_their_contracts():
    shop = simulate(100, days=60, seed=22, promotions=[SUMMER])
    tables = shop.source_tables()
    assert set(tables) == {"order_lines", "products", "promotions"}
    for name, source in tables.items():
        data = source.batches().read_all()
        assert data.column_names == [column.name for column in source.columns] and data.num_rows > 0
        assert set(INPUT_TABLES[name].required) <= set(source.mapping)
    assert tables["order_lines"].date_orders == {"ordered_at": "typed"}
    assert simulate(10, as_text=True).source_tables()["order_lines"].date_orders == {"ordered_at": "ymd"}
    product = shop.products().to_pylist()[0]
    assert set(product) == {"product_id", "description", "category", "price"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"refund_rat": 0.1}, 'Did you mean "refund_rate"'),
        ({"refund_rate": 1.5}, "refund_rate must be 0..1, got 1.5"),
        ({"n_customers": 0}, "n_customers must be above 0"),
        ({"n_customers": 5, "n_lines": 5}, "exclude each other"),
        ({"days": 0}, "days must be above 0"),
        ({"purchases": PurchaseParameters(r=-1.0)}, "purchases.r must be above 0"),
        ({"month_multipliers": (1.0,)}, "month_multipliers wants 12 numbers"),
        ({"countries": {}}, "countries wants at least one name"),
        ({"opening_hours": (20.0, 8.0)}, "opening_hours must rise"),
        ({"customer_ids": "roman"}, "customer_ids must be"),
        ({"edge_cases": ["tie"]}, 'Did you mean "ties"'),
        ({"edge_cases": ["leap_days"], "days": 30}, "there is no 29 February"),
        ({"promotions": [Promotion("x", dt.date(2023, 2, 1), dt.date(2023, 1, 1))]}, "promotion 'x'"),
        ({"mean_lines": 0.5}, "mean_lines must be >= 1"),
    ],
)
def test_impossible_settings_are_named(given, message):
    with pytest.raises(SettingsError, match=message.replace("(", r"\(")):
        simulate(**given)


def test_all_faults_are_named_at_once():
    with pytest.raises(SettingsError) as caught:
        simulate(0, days=-3, taste=2.0)
    assert all(word in str(caught.value) for word in ("n_customers", "days", "taste"))
