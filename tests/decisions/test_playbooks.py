"""Playbooks: every fault of a file is named at once, everybody gets exactly one, and the reason is true."""

from __future__ import annotations

import copy

import numpy as np
import pyarrow as pa
import pytest

from customer_genome.decisions.playbooks import Playbook, assign, parse_playbooks
from customer_genome.decisions.priority import churn_band
from customer_genome.decisions.rule_reasons import NOTHING_ELSE_FITS
from customer_genome.errors import ContractError, SettingsError
from in_memory import assigned, checked, figures_of, known_in


def entry(name: str, priority: int, when: list[str], action: str = "Do it.", **more: object) -> dict:
    """Return a playbook as TOML gives it."""
    required = {"who": "They.", "do": ["this"], "measure": ["that"], "channel": "mail", "cost": "low"}
    return {"name": name, "priority": priority, "when": when, "action": action, **required, **more}


def playbooks(*entries: dict) -> tuple[Playbook, ...]:
    """Return parsed playbooks with a last one for everybody else."""
    return parse_playbooks({"playbook": [*entries, entry("Rest", 999, [])]})


TABLE = pa.table(
    {
        "customer_id": ["a", "b", "c", "d"],
        "n_orders": pa.array([1, 2, 3, None]),
        "recency_days": [10, 20, 30, 40],
        "mean_gap_days": pa.array([None, 5.0, 20.0, None]),
        "discount_share": pa.nulls(4, pa.float64()),
        "primary_country": ["FR", "FR", "DE", "DE"],
    }
)


def test_the_first_that_fits_takes_the_customer() -> None:
    books = playbooks(entry("Late", 20, ["n_orders >= 2"]), entry("Early", 10, ["n_orders >= 3"]))
    assert [book.name for book in books] == ["Early", "Late", "Rest"], "by priority, not by place in the file"
    given = assigned(books, TABLE)
    assert given.playbook.to_pylist() == ["Rest", "Late", "Early", "Rest"]
    assert given.recommended_action.null_count == given.reason.null_count == 0


def test_the_reason_gives_the_customers_own_figure_and_the_bound() -> None:
    books = playbooks(
        entry("A", 1, ["n_orders >= p90", "recency_days <= mean"]),
        entry("B", 2, ["recency_days > 2 * mean_gap_days", "primary_country = FR"]),
    )
    reasons = assigned(books, TABLE.set_column(2, "recency_days", pa.array([10, 20, 12, 40]))).reason.to_pylist()
    assert reasons == [
        NOTHING_ELSE_FITS,
        "last order 20 days ago (over 2 x mean gap of 5 days); primary country FR",
        "3 orders so far (at least 3 orders, p90); last order 12 days ago (at most 20 days, mean)",
        NOTHING_ELSE_FITS,
    ]


def test_a_playbook_whose_column_this_data_lacks_is_switched_off_and_reported() -> None:
    books = playbooks(
        entry("Sale", 1, ["discount_share >= 0.1"]),
        entry("Rank", 2, ["rfm_segment = Champions", "spend_trend > 0"]),
        entry("All", 3, ["recency_days > 0"]),
    )
    assert assigned(books, TABLE).playbook.to_pylist() == ["All"] * 4
    sale, rank, everybody, rest = checked(books, TABLE)
    assert sale.switched_off == "this data has no discount_share" and sale.n_assigned == sale.n_matches == 0
    assert rank.switched_off == "this data has no rfm_segment and no spend_trend"
    assert (everybody.switched_off, everybody.n_assigned, rest.n_assigned) == ("", 4, 0)


def test_the_check_counts_matches_assignments_and_overlaps() -> None:
    books = playbooks(
        entry("Two", 1, ["n_orders >= 2"]), entry("Three", 2, ["n_orders >= 3"]), entry("FR", 3, ["primary_country = FR"])
    )
    two, three, france, rest = checked(books, TABLE)
    assert (two.n_matches, two.n_assigned, two.overlaps) == (2, 2, {"Three": 1, "FR": 1})
    assert (three.n_matches, three.n_assigned, three.overlaps) == (1, 0, {"Two": 1})
    assert (france.n_matches, france.n_assigned, france.overlaps) == (2, 1, {"Two": 1})
    assert (rest.n_matches, rest.n_assigned, rest.overlaps) == (4, 1, {})


def test_a_later_customer_is_judged_by_the_figures_of_the_run() -> None:
    books = playbooks(entry("Best", 1, ["n_orders >= p60"]))
    figures = figures_of(books, TABLE)
    assert figures == {"n_orders p60": 2.0}
    one = TABLE.slice(0, 1)
    assert assigned(books, one).playbook.to_pylist() == ["Best"], "alone, everybody is the best"
    assert assign(books, one, figures=figures, known=known_in(TABLE)).playbook.to_pylist() == ["Rest"]


def test_every_playbook_that_fits_is_told() -> None:
    books = playbooks(entry("Two", 1, ["n_orders >= 2"]), entry("Three", 2, ["n_orders >= 3"]), entry("Off", 3, ["p_alive > 0"]))
    assert assigned(books, TABLE).matching.to_pylist() == ["|Rest|", "|Two|Rest|", "|Two|Three|Rest|", "|Rest|"]


def test_a_batch_gets_what_it_would_get_among_all() -> None:
    """The second customer is alone with an unknown gap: the column is known all the same."""
    books = playbooks(entry("Gap", 1, ["mean_gap_days > 3"]), entry("Long", 2, ["recency_days >= p60"]))
    figures, known, whole = figures_of(books, TABLE), known_in(TABLE), assigned(books, TABLE)
    for place in range(TABLE.num_rows):
        alone = assign(books, TABLE.slice(place, 1), figures=figures, known=known)
        assert [column[0] for column in alone] == [column[place] for column in whole]


def test_figures_and_known_columns_of_another_table_are_refused() -> None:
    books = playbooks(entry("A", 1, ["recency_days >= p60"]))
    with pytest.raises(ContractError, match="recency_days has values in this batch and is not among the known columns"):
        assign(books, TABLE, figures=figures_of(books, TABLE), known=frozenset({"n_orders"}))
    with pytest.raises(ContractError, match="no figure for recency_days p60"):
        assign(books, TABLE, figures={}, known=known_in(TABLE))


def test_no_customers_get_no_actions() -> None:
    books = playbooks(entry("A", 1, ["n_orders >= 1"], action="{n_orders}[ {recency_days}]"))
    given = assigned(books, TABLE.slice(0, 0))
    assert [len(column) for column in given] == [0, 0, 0, 0]
    assert [found.n_assigned for found in checked(books, TABLE.slice(0, 0))] == [0, 0]


@pytest.mark.parametrize(
    ("books", "says"),
    [
        (
            [entry("A", 1, ["recencey_days > 3"])],
            r'playbook "A", rule 1 `recencey_days > 3`: there is no column recencey_days\. Did you mean "recency_days"',
        ),
        ([entry("A", 1, ["recency_days > 2 * mean_gap_day"])], 'Did you mean "mean_gap_days"'),
        (
            [entry("A", 1, [], action="Hi {recency_dayz}")],
            'playbook "A", action: there is no column recency_dayz. Did you mean "recency_days"',
        ),
        ([entry("A", 1, ["recency_days > 0"], action="by {act_bye}")], 'Did you mean "act_by"'),
    ],
)
def test_names_that_no_run_ever_makes_are_refused(books: list[dict], says: str) -> None:
    parsed = parse_playbooks({"playbook": books}) if not books[0]["when"] else playbooks(*books)
    with pytest.raises(SettingsError, match=says):
        assigned(parsed, TABLE)


def test_a_rule_on_the_wrong_kind_of_column_names_its_playbook() -> None:
    with pytest.raises(SettingsError, match='playbook "A", rule 2: `primary_country > 3`: column primary_country holds text'):
        assigned(playbooks(entry("A", 1, ["n_orders > 1", "primary_country > 3"])), TABLE)
    with pytest.raises(SettingsError, match='playbook "A": `primary_country > p20`: column primary_country holds text'):
        assigned(playbooks(entry("A", 1, ["primary_country > p20"])), TABLE)


def test_columns_of_the_shops_own_customer_table_may_be_used() -> None:
    table = TABLE.append_column("Support Tickets", pa.array([0, 5, 0, 0]))
    assert assigned(playbooks(entry("A", 1, ['"Support Tickets" > 3'])), table).playbook.to_pylist() == [
        "Rest",
        "A",
        "Rest",
        "Rest",
    ]


def test_every_fault_of_a_file_is_reported_at_once() -> None:
    document = {
        "playbok": [],
        "playbook": [
            entry("A", 1, ["n_orders = = 3", "n_orders > 1"], chanel="mail"),
            entry("B", 1, ["n_orders ~ 3"], action="Hi {"),
            {key: value for key, value in entry("C", 3, []).items() if key != "who"},
            entry("D", "4", ["n_orders > 1"], do=[], cost=" "),
            "E",
        ],
    }
    with pytest.raises(SettingsError) as caught:
        parse_playbooks(document, "mine.toml")
    text = str(caught.value)
    for part in (
        "mine.toml: ",
        'playbok is not known here. Did you mean "playbook"?',
        'playbook "A": chanel is not known. Did you mean "channel"?',
        'playbook "B", rule 1: ',
        'playbook "B", action: ',
        'playbook "C": who is missing',
        "playbook \"D\": priority = '4': wanted a whole number",
        'playbook "D": do is empty',
        'playbook "D": cost is empty',
        "playbook 5: wanted a table, found 'E'",
        "See docs/playbooks.md.",
    ):
        assert part in text, f"{part!r} not in\n{text}"


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([], r"no \[\[playbook\]\] found"),
        ([entry("A", 1, ["n_orders > 1"])], 'the last playbook, "A", must take everybody else'),
        ([entry("A", 1, []), entry("B", 2, [])], 'playbook "A" has no rules and takes everybody, but is not the last'),
        ([entry("A", 1, ["n_orders > 1"]), entry("A", 2, [])], "2 playbooks have name 'A'"),
        ([entry("A", 1, ["n_orders > 1"]), entry("B", 1, [])], "2 playbooks have priority 1"),
        ([entry("A|B", 1, [])], r"wanted a name without \|"),
        ([entry("A", True, [])], "priority = True: wanted a whole number"),
        ([entry("A", 1, [3])], "wanted a list of texts"),
    ],
)
def test_a_file_that_does_not_place_everybody_once_is_refused(entries: list, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        parse_playbooks({"playbook": entries})


def test_the_packaged_file_says_everything_about_every_playbook(
    default_document: dict, default_playbooks: tuple[Playbook, ...]
) -> None:
    wanted = {
        "VIP Loyalists",
        "High-Potential Newcomers",
        "Discount-Driven Shoppers",
        "At-Risk Loyalists",
        "Dormant / One-and-Done",
    }
    assert wanted < {book.name for book in default_playbooks}
    assert default_playbooks[-1].when == () and all(book.when for book in default_playbooks[:-1])
    changed = copy.deepcopy(default_document)
    changed["playbook"][0]["when"].append("n_orders >= many")
    with pytest.raises(SettingsError, match='playbook "VIP Loyalists", rule 6'):
        parse_playbooks(changed)


def test_the_packaged_playbooks_place_every_simulated_customer(default_playbooks: tuple[Playbook, ...], shop: pa.Table) -> None:
    given = assigned(default_playbooks, shop, "EUR")
    stand_ins = {book.name for book in default_playbooks if book.only_without}
    checks = checked([book for book in default_playbooks if book.name not in stand_ins], shop)
    assert sum(found.n_assigned for found in checks) == shop.num_rows
    assert {found.name for found in checked(default_playbooks, shop) if found.switched_off} == stand_ins
    assert not [found.name for found in checks if found.switched_off]
    assert not [found.name for found in checks if not found.n_assigned], "each packaged playbook has somebody to act on"
    sentences = given.recommended_action.to_pylist()
    assert all(text.endswith(".") and "not known" not in text and "[" not in text and "{" not in text for text in sentences)


@pytest.mark.parametrize(
    ("recency", "gap", "told"),
    [
        (34, 355.0, "Occasional Buyers"),
        (355, 355.0, "Occasional Buyers"),
        (400, 355.0, "Lapsing Customers"),
        (34, None, "Lapsing Customers"),
    ],
)
def test_nobody_is_asked_what_is_missing_within_their_own_usual_gap(
    default_playbooks: tuple[Playbook, ...], shop: pa.Table, recency: int, gap: float | None, told: str
) -> None:
    seldom = {
        "n_orders": 2,
        "total_spend": 1.0,
        "recency_days": recency,
        "tenure_days": 800,
        "mean_gap_days": gap,
        "spend_trend": 0.0,
    }
    seldom |= {"churn_probability": 0.6, "churn_band": "Medium", "discount_share": 0.0, "clv_180d": 1e6}
    one = pa.Table.from_pylist([shop.slice(0, 1).to_pylist()[0] | seldom], shop.schema)
    given = assign(default_playbooks, one, figures=figures_of(default_playbooks, shop), known=known_in(shop))
    assert given.playbook.to_pylist() == [told]
    assert ("Ask what is missing" in given.recommended_action[0].as_py()) == (told == "Lapsing Customers")


def test_rules_that_contradict_each_other_are_refused_with_both() -> None:
    wanted = r'playbook "A": rules 1 `n_orders > 5` and 3 `n_orders <= 2` can never both hold; change or remove one'
    with pytest.raises(SettingsError, match=wanted):
        playbooks(entry("A", 1, ["n_orders > 5", "total_spend > 3", "n_orders <= 2"]))


@pytest.mark.parametrize(
    ("key", "value"), [("response", 1.5), ("response", "much"), ("cost_per_contact", -1), ("response", True)]
)
def test_cost_and_response_have_to_be_possible(key: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f'playbook "A": {key} = .*: wanted'):
        playbooks(entry("A", 1, ["n_orders > 5"], **{key: value}))


def test_cost_and_response_are_kept() -> None:
    first, last = playbooks(entry("A", 1, ["n_orders > 5"], cost_per_contact=2, response=0.1))
    assert (first.cost_per_contact, first.response, last.cost_per_contact, last.response) == (2.0, 0.1, None, None)


@pytest.mark.parametrize(("churn", "told"), [(0.05, "Steady Regulars"), (0.39, "Steady Regulars"), (0.45, "At-Risk Loyalists")])
def test_a_burst_buyer_who_will_be_back_is_not_won_back(
    default_playbooks: tuple[Playbook, ...], shop: pa.Table, churn: float, told: str
) -> None:
    """224 purchase days in a year, away for nine: over twice the usual gap, and next to no risk."""
    burst = {
        "n_orders": 224,
        "total_spend": 5000.0,
        "recency_days": 9,
        "tenure_days": 366,
        "mean_gap_days": 1.6,
        "spend_trend": -0.1,
    }
    burst |= {"churn_probability": churn, "churn_band": churn_band([churn])[0].as_py(), "discount_share": 0.0, "clv_180d": 1.0}
    one = pa.Table.from_pylist([shop.slice(0, 1).to_pylist()[0] | burst], shop.schema)
    given = assign(default_playbooks, one, figures=figures_of(default_playbooks, shop), known=known_in(shop))
    assert given.playbook.to_pylist() == [told]
    assert ("Win back" in given.recommended_action[0].as_py()) == (told == "At-Risk Loyalists")


def test_nobody_of_low_risk_is_told_to_be_won_back(default_playbooks: tuple[Playbook, ...], shop: pa.Table) -> None:
    given = assigned(default_playbooks, shop)
    won_back = {
        band
        for band, action in zip(shop["churn_band"].to_pylist(), given.recommended_action.to_pylist(), strict=True)
        if "Win back" in action
    }
    assert won_back == {"Medium", "High"}


def test_the_packaged_playbooks_on_online_retail(default_playbooks: tuple[Playbook, ...], online_retail: pa.Table) -> None:
    given = assigned(default_playbooks, online_retail, "GBP")
    names = np.array(given.playbook.to_pylist())
    checks = {found.name: found for found in checked(default_playbooks, online_retail)}
    assert len(names) == 4338 and sum(found.n_assigned for found in checks.values()) == 4338
    assert checks["Discount-Driven Shoppers"].switched_off == "this data has no discount_share"
    orders, recency, spend, clv, churn, gap = (
        online_retail[name].cast(pa.float64()).to_numpy()
        for name in ("n_orders", "recency_days", "total_spend", "clv_180d", "churn_probability", "mean_gap_days")
    )
    vip, risk, dormant, new = (
        names == name for name in ("VIP Loyalists", "At-Risk Loyalists", "Dormant / One-and-Done", "High-Potential Newcomers")
    )
    assert 0.05 < vip.mean() < 0.15 and spend[vip].sum() > 0.4 * spend.sum(), "few, and much of the money"
    assert (clv[vip] > clv.mean()).all() and recency[vip].max() <= np.quantile(recency, 0.3, method="inverted_cdf")
    assert (recency[risk] > 2 * gap[risk]).all() and np.median(orders[risk]) >= 3 and (churn[risk] >= 0.4).all()
    assert np.median(clv[dormant]) < np.median(clv[risk]) < np.median(clv[vip])
    assert dormant.mean() > 0.2 and orders[dormant].max() <= 2 and (churn[dormant] >= 0.4).all()
    assert orders[new].max() <= 2 and online_retail["tenure_days"].to_numpy()[new].max() <= 90
    assert checks["Keep in Touch"].n_assigned < 0.1 * 4338, "most have an action better than a newsletter"
    assert len(set(given.recommended_action.to_pylist())) > 1000, "the action is the customer's own"
    assert (
        "Win back: last order 247 days ago, usually every 56 days - send a personal offer before 9 Jan 2012."
        in given.recommended_action.to_pylist()
    )
