"""Laws of decisions: everybody has exactly one playbook, rules print as they read, bands and findings keep their bounds."""

from __future__ import annotations

import datetime as dt
import itertools
import re
import tomllib
from collections import Counter
from importlib.resources import files

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_genome.decisions.conditions import OPERATORS, Average, Condition, Multiple, Quantile, parse_condition
from customer_genome.decisions.crowd import spend_bins
from customer_genome.decisions.findings import findings, gini_of
from customer_genome.decisions.playbooks import KNOWN_COLUMNS, assign, check, parse_playbooks
from customer_genome.decisions.priority import BANDS, churn_band, clv_band
from customer_genome.decisions.wording import parse_template
from customer_genome.errors import SettingsError
from in_memory import assigned, clv_cuts, figures_of, known_in

PLAYBOOKS = parse_playbooks(
    tomllib.loads(files("customer_genome.decisions").joinpath("playbooks.toml").read_text(encoding="utf-8"))
)

names = st.from_regex(r"[a-z_][a-z0-9_]{0,12}", fullmatch=True)
numbers = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number + 0.0)
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\"'"), max_size=12)
days = st.dates()
ordered = st.one_of(
    numbers, days, st.floats(0, 100).map(lambda p: Quantile(round(p, 3))), st.sampled_from([Average("mean"), Average("median")])
)
multiples = st.builds(Multiple, numbers, names)
conditions = st.one_of(
    st.builds(Condition, names, st.sampled_from([op for op in OPERATORS if op != "in"]), st.one_of(ordered, multiples)),
    st.builds(Condition, names, st.sampled_from(["=", "!="]), st.one_of(texts, st.booleans())),
    st.builds(
        Condition,
        names,
        st.just("in"),
        st.one_of(*(st.lists(kind, min_size=1, max_size=4).map(tuple) for kind in (numbers, texts, days))),
    ),
)


@given(conditions)
def test_a_rule_prints_as_it_reads(condition: Condition) -> None:
    assert parse_condition(str(condition)) == condition


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=40), st.from_regex(r"[a-z_]+ ?(<|<=|>|>=|=|!=|in) ?.{0,15}")))
def test_any_text_is_a_rule_or_refused(text: str) -> None:
    condition = refusal = None
    try:
        condition = parse_condition(text)
    except SettingsError as err:
        refusal = str(err)
    assert "Wanted" in refusal if condition is None else parse_condition(str(condition)) == condition


@given(st.text(st.sampled_from("ab {}[].!:"), max_size=15))
def test_any_text_is_a_template_or_refused(text: str) -> None:
    template = refusal = None
    try:
        template = parse_template(text)
    except SettingsError as err:
        refusal = str(err)
    if template is None:
        assert "Wanted" in refusal
    else:
        pieces = [piece for part in template.parts for _, piece in part.pieces]
        assert re.sub(r"[{}\[\]]", "", text) == "".join(pieces), "nothing is lost or added"


@given(st.sampled_from(sorted(KNOWN_COLUMNS)), st.integers(0, 30))
def test_a_misspelt_column_is_refused_with_the_name_that_was_meant(column: str, place: int) -> None:
    misspelt = column[: place % len(column)] + "x" + column[place % len(column) :]
    rest = {"who": "w", "do": ["d"], "measure": ["m"], "channel": "c", "cost": "c", "action": "a"}
    books = parse_playbooks(
        {
            "playbook": [
                {"name": "A", "priority": 1, "when": [f"{misspelt} > 1"], **rest},
                {"name": "B", "priority": 2, "when": [], **rest},
            ]
        }
    )
    with pytest.raises(SettingsError, match=f'no column {misspelt}.*Did you mean .*"') as caught:
        assign(books, pa.table({"n_orders": [1]}), figures={}, known=frozenset({"n_orders"}))
    assert column in str(caught.value)


def shop(seed: int, n: int) -> pa.Table:
    """Return customers with holes in every column but the id."""
    chance = np.random.default_rng(seed)

    def holes(values: np.ndarray) -> pa.Array:
        return pa.array(values, mask=chance.uniform(0, 1, n) < chance.choice([0, 0.2, 1], p=[0.6, 0.3, 0.1]))

    orders, churn = chance.geometric(0.4, n), chance.uniform(0, 1, n)
    spend = np.round(orders * chance.lognormal(3, 1, n), 2)
    return pa.table(
        {
            "customer_id": [str(place) for place in range(n)],
            "as_of": pa.array([dt.date(2020, 1, 1)] * n),
            "n_orders": holes(orders),
            "total_spend": holes(spend),
            "recency_days": holes(chance.integers(1, 400, n)),
            "tenure_days": holes(chance.integers(1, 800, n)),
            "mean_gap_days": holes(chance.uniform(1, 100, n)),
            "spend_trend": holes(chance.uniform(-1, 1, n)),
            "discount_share": holes(chance.uniform(0, 1, n)),
            "churn_probability": holes(churn),
            "churn_band": holes(np.array(BANDS, dtype=object)[np.searchsorted([0.4, 0.7], churn, side="right")]),
            "clv_180d": holes(np.round(spend * chance.uniform(0, 1, n), 2)),
            "primary_country": holes(np.array(["A", "B"], dtype=object)[chance.integers(0, 2, n)]),
        }
    )


seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(0, 60))
def test_everybody_has_exactly_one_playbook_action_and_reason(seed: int, n: int) -> None:
    table = shop(seed, n)
    given_ = assigned(PLAYBOOKS, table)
    checks = check(PLAYBOOKS, Counter(given_.matching.to_pylist()), known_in(table))
    assert [len(column) for column in given_] == [n, n, n, n]
    assert not any(column.null_count for column in given_)
    taken = given_.playbook.to_pylist()
    assert all(taken.count(found.name) == found.n_assigned <= found.n_matches for found in checks)
    assert sum(found.n_assigned for found in checks) == n


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 60))
def test_customers_in_another_order_get_the_same_playbooks(seed: int, n: int) -> None:
    table = shop(seed, n)
    shuffled = np.random.default_rng(seed).permutation(n)
    there = assigned(PLAYBOOKS, table.take(pa.array(shuffled)))
    for here, column in zip(assigned(PLAYBOOKS, table), there, strict=True):
        assert column.equals(here.take(pa.array(shuffled)))


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 60), st.lists(st.integers(0, 60), max_size=6))
def test_any_split_into_batches_gives_the_same_playbooks(seed: int, n: int, cuts: list[int]) -> None:
    table = shop(seed, n)
    figures, known, whole = figures_of(PLAYBOOKS, table), known_in(table), assigned(PLAYBOOKS, table)
    edges = sorted({0, n, *(cut % n for cut in cuts)})
    batches = [
        assign(PLAYBOOKS, table.slice(low, high - low), figures=figures, known=known) for low, high in itertools.pairwise(edges)
    ]
    for place, column in enumerate(whole):
        assert pa.concat_arrays([batch[place] for batch in batches]).equals(column)


@settings(max_examples=40, deadline=None)
@given(seeds, st.integers(1, 60), st.sampled_from([0.125, 4.0, 1024.0]))
def test_the_unit_of_money_changes_no_packaged_playbook(seed: int, n: int, factor: float) -> None:
    table = shop(seed, n)
    there = table
    for name in ("total_spend", "clv_180d"):
        there = there.set_column(there.column_names.index(name), name, pa.compute.multiply(there[name], factor))
    assert assigned(PLAYBOOKS, there).playbook.equals(assigned(PLAYBOOKS, table).playbook)


amounts = st.lists(st.integers(0, 10**8).map(lambda cents: cents / 100), min_size=1, max_size=60)


@given(amounts)
def test_bands_follow_value_and_equal_values_share_one(clv: list[float]) -> None:
    codes = [BANDS.index(band) for band in clv_band(clv, clv_cuts(clv)).to_pylist()]
    ranked = sorted(zip(clv, codes, strict=True))
    assert all(one[1] <= other[1] for one, other in itertools.pairwise(ranked))
    assert all(one[1] == other[1] for one, other in itertools.pairwise(ranked) if one[0] == other[0])
    assert codes.count(2) <= 0.2 * len(clv)


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_risk_bands_follow_the_probability(risk: list[float], one: float, other: float) -> None:
    bands = churn_band(risk, sorted((one, other))).to_pylist()
    assert [BANDS.index(band) for band in bands] == [sum(p >= cut for cut in (one, other)) for p in risk]


@given(amounts, st.integers(0, 6))
def test_gini_keeps_its_bounds_and_its_unit(spend: list[float], doublings: int) -> None:
    gini = gini_of(spend_bins(spend))
    assert 0 <= gini < 1
    assert gini_of(spend_bins(np.asarray(spend) * 2.0**doublings)) == pytest.approx(gini, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(0, 40))
def test_shares_that_are_found_are_shares(seed: int, n: int) -> None:
    for finding in findings(shop(seed, n)):
        assert finding.value is None or finding.unit not in ("share", "index") or 0 <= finding.value <= 1
        assert finding.sentence.endswith(".") and "nan" not in finding.sentence
        assert len({len(column) for column in finding.chart.values()}) <= 1
