"""One suite for every recommender: on a shop with obvious answers, on a customer without history, again and again alike."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from customer_genome.models.recommend.contract import Recommender, interactions
from customer_genome.models.recommend.items import Als, Ease, ItemNeighbours, fold_in
from customer_genome.models.recommend.lists import VIEWS, FittedBlend, best_of, top_in_views, top_items
from customer_genome.models.recommend.personal import PersonalDecay, UserNeighbours
from customer_genome.models.recommend.popularity import GroupPopularity, Popularity, SeasonPopularity
from customer_genome.models.recommend.serving import Clerk, offered_items
from customer_genome.models.recommend.study import LIGHT, PERSONAL, POPULARITY, Effort, Study, has_implicit, ndcg_of
from customer_genome.models.recommend.together import baskets_of, bought_together
from shops_of_taste import AS_OF, CATS, DOGS, GONE, HORIZON, N_EACH, N_ITEMS, two_tastes

ALS = [Als(factors=8, penalty=1.0)] if has_implicit() else []
EVERY = [
    Popularity(), GroupPopularity(prior_customers=5), SeasonPopularity(), PersonalDecay(), UserNeighbours(n_neighbours=20),
    UserNeighbours(n_neighbours=20, own_weight=0, name="similar"), ItemNeighbours(10), ItemNeighbours(10, bm25=True), Ease(penalty=5.0), *ALS,
]  # fmt: skip
KNOW_TASTE = [one for one in EVERY if one.name not in (POPULARITY, SeasonPopularity.name, PERSONAL)]


def named(one: Recommender) -> str:
    return one.name


@pytest.fixture(scope="module")
def shop():  # type: ignore[no-untyped-def]
    return two_tastes()


@pytest.mark.parametrize("recommender", EVERY, ids=named)
def test_scores_are_finite_and_the_same_for_any_batch(recommender: Recommender, shop) -> None:  # type: ignore[no-untyped-def]
    fitted = recommender.fit(shop)
    everybody = np.arange(shop.n_customers)
    whole = fitted.scores(everybody)
    assert whole.shape == (shop.n_customers, N_ITEMS) and np.isfinite(whole).all()
    parts = np.vstack([fitted.scores(everybody[:50]), fitted.scores(everybody[50:])])
    np.testing.assert_allclose(parts, whole, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(recommender.fit(two_tastes()).scores(everybody), whole)


@pytest.mark.parametrize("recommender", EVERY, ids=named)
def test_owned_items_never_stand_under_new_and_only_they_under_again(recommender: Recommender, shop) -> None:  # type: ignore[no-untyped-def]
    fitted, everybody = recommender.fit(shop), np.arange(shop.n_customers)
    owned = shop.owned.toarray() > 0
    for view in VIEWS:
        lists, values = top_items(fitted, shop, everybody, view, N_ITEMS)
        rows, places = np.nonzero(lists >= 0)
        listed = owned[rows, lists[rows, places]]
        assert not listed.any() if view == "new" else listed.all() if view == "again" else True
        assert np.isfinite(values[lists >= 0]).all() and not np.isfinite(values[lists < 0]).any()
        assert all(len(set(one[one >= 0])) == (one >= 0).sum() for one in lists)  # nothing twice
    unsold = shop.n_buyers == 0
    assert not unsold[top_items(fitted, shop, everybody, "all", 5)[0]].any()


@pytest.mark.parametrize("recommender", EVERY, ids=named)
def test_customers_are_scored_from_their_own_history_wherever_they_stand(recommender: Recommender, shop) -> None:  # type: ignore[no-untyped-def]
    """Half of the customers as another table, one of them unknown to the fit: the scores of those learned from stay the same."""
    fitted, everybody = recommender.fit(shop), np.arange(shop.n_customers)
    half = everybody[::2]
    kept = np.isin(shop.customer, half)
    others = interactions(
        shop.customer[kept] // 2, shop.item[kept], shop.day[kept], n_customers=len(half), n_items=N_ITEMS, as_of=AS_OF,
        horizon_days=HORIZON, group=shop.group[half],
    )  # fmt: skip
    moved = fitted.for_others(others, half)
    if recommender.name == "ALS":  # the fit ends a step before the factors it would fold in
        order = [moved.scores(np.arange(len(half))), fitted.scores(half)]
        assert np.corrcoef(order[0].ravel(), order[1].ravel())[0, 1] > 0.98
    else:
        np.testing.assert_array_equal(moved.scores(np.arange(len(half))), fitted.scores(half))
    unknown = fitted.for_others(others, np.full(len(half), -1)).scores(np.arange(len(half)))
    assert unknown.shape == (len(half), N_ITEMS) and np.isfinite(unknown).all()


@pytest.mark.filterwarnings("ignore:Method expects CSR")  # the library's own conversion
def test_factors_are_folded_in_as_the_library_does(shop) -> None:  # type: ignore[no-untyped-def]
    als = pytest.importorskip("implicit.cpu.als")
    model = als.AlternatingLeastSquares(factors=8, regularization=2.0, alpha=3.0, iterations=3, random_state=1, num_threads=1)
    model.fit(shop.days, show_progress=False)
    model.alpha = 3.0
    theirs = np.vstack([model.recalculate_user(one, shop.days[one]) for one in range(20)])
    np.testing.assert_allclose(fold_in(shop.days[:20], np.array(model.item_factors), 2.0, 3.0), theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("recommender", KNOW_TASTE, ids=named)
def test_new_items_come_from_the_customers_own_taste(recommender: Recommender, shop) -> None:  # type: ignore[no-untyped-def]
    lists, _ = top_items(recommender.fit(shop), shop, np.arange(2 * N_EACH), "new", 1)
    right = [first in (CATS if customer < N_EACH else DOGS) for customer, (first,) in enumerate(lists.tolist())]
    assert np.mean(right) > 0.9


@pytest.mark.parametrize("recommender", [PersonalDecay(), UserNeighbours(n_neighbours=20)], ids=named)
def test_the_own_regular_item_leads_what_is_bought_again(recommender: Recommender, shop) -> None:  # type: ignore[no-untyped-def]
    lists, _ = top_items(recommender.fit(shop), shop, np.arange(2 * N_EACH), "again", 1)
    mine = [(CATS if customer < N_EACH else DOGS)[customer % 10] for customer in range(2 * N_EACH)]
    assert np.mean(lists[:, 0] == mine) > 0.95


def test_a_blend_of_one_orders_as_that_one(shop) -> None:  # type: ignore[no-untyped-def]
    ease, everybody = Ease(penalty=5.0).fit(shop), np.arange(2 * N_EACH)
    blended = FittedBlend([ease], np.ones(1))
    np.testing.assert_array_equal(top_items(blended, shop, everybody, "new", 3)[0], top_items(ease, shop, everybody, "new", 3)[0])


@pytest.mark.filterwarnings("ignore:Method expects CSR")  # the library's own conversion
def test_item_likeness_is_that_of_the_library(shop) -> None:  # type: ignore[no-untyped-def]
    implicit = pytest.importorskip("implicit.nearest_neighbours")
    model = implicit.CosineRecommender(K=N_ITEMS + 1, num_threads=1)
    model.fit(shop.owned, show_progress=False)
    theirs = model.similarity.toarray()
    np.fill_diagonal(theirs, 0)
    np.testing.assert_allclose(ItemNeighbours(N_ITEMS).fit(shop).strength.toarray(), theirs, atol=1e-5)


def test_lists_end_where_choices_end() -> None:
    scores = np.array([[0.5, -np.inf, 0.7]], dtype=np.float32)
    places, _ = best_of(scores, 5)
    assert places.tolist() == [[2, 0, -1, -1, -1]]


@pytest.mark.parametrize(("width", "n"), [(3, 5), (40, 5), (700, 10), (5_000, 10), (5_000, 60)])
def test_the_best_are_those_of_a_whole_sort_and_ties_go_by_place(width: int, n: int) -> None:
    random = np.random.default_rng(width + n)
    scores = random.normal(size=(30, width)).astype(np.float32)
    scores[5:10] = np.round(scores[5:10], 1)
    scores[10:15] = 0
    scores[15:20] = np.where(random.random((5, width)) < 0.99, 0, scores[15:20])
    scores[20:25] = np.where(random.random((5, width)) < 0.999, -np.inf, scores[20:25])
    scores[25] = -np.inf
    places, values = best_of(scores, n)
    for row, one in enumerate(scores):
        order = np.argsort(-one, kind="stable")[:n]
        wanted = order[np.isfinite(one[order])]
        assert places[row][: len(wanted)].tolist() == wanted.tolist() and (places[row][len(wanted) :] == -1).all()
        np.testing.assert_array_equal(values[row][: len(wanted)], one[wanted])


def test_the_study_prefers_what_beats_popularity_and_says_so(shop) -> None:  # type: ignore[no-untyped-def]
    chosen = Study(shop, LIGHT).choose()
    assert chosen["again"].name not in (POPULARITY, GroupPopularity.name)
    assert "against popularity" in chosen["again"].words
    assert all(one.tried[0].ndcg >= one.tried[-1].ndcg for one in chosen.values() if one.tried)


def test_nothing_after_the_day_changes_a_study(shop) -> None:  # type: ignore[no-untyped-def]
    day = AS_OF - HORIZON
    later = interactions(
        np.r_[shop.customer, [0] * 5], np.r_[shop.item, [15] * 5], np.r_[shop.day, [day + 1] * 5],
        n_customers=shop.n_customers, n_items=N_ITEMS, as_of=AS_OF, horizon_days=HORIZON, group=shop.group,
    )  # fmt: skip
    first, second = (Study(one.before(day), LIGHT).choose() for one in (shop, later))
    assert first == second


def test_the_ranker_learns_the_obvious(shop) -> None:  # type: ignore[no-untyped-def]
    study = Study(shop, Effort(100, (5.0,), (180.0,), 2, 500, False))
    ranker = study.fitted("re-ranker", "again")
    assert ranker is not None
    lists, _ = top_items(ranker, shop, np.arange(2 * N_EACH), "again", 1)
    mine = [(CATS if customer < N_EACH else DOGS)[customer % 10] for customer in range(2 * N_EACH)]
    assert np.mean(lists[:, 0] == mine) > 0.9


def test_views_that_share_scores_get_the_lists_they_would_get_alone(shop) -> None:  # type: ignore[no-untyped-def]
    study, everybody = Study(shop, Effort(100, (5.0,), (180.0,), 2, 500, False)), np.arange(shop.n_customers)
    for name in ("re-ranker", UserNeighbours().name):
        fitted = study.in_views(name)
        assert set(fitted) == set(VIEWS)
        for view, (places, values) in top_in_views(fitted, shop, everybody, 5).items():
            alone = Study(shop, study.effort).fitted(name, view)
            assert alone is not None
            wanted, scores = top_items(alone, shop, everybody, view, 5)
            np.testing.assert_array_equal(places, wanted)
            np.testing.assert_array_equal(values, scores)


def test_ease_is_its_closed_form(shop) -> None:  # type: ignore[no-untyped-def]
    fitted = Ease(N_ITEMS, 5.0).fit(shop)
    table = shop.owned.toarray()[:, fitted.places].astype(np.float64)
    inverse = np.linalg.inv(table.T @ table + 5.0 * np.eye(table.shape[1]))
    expected = -inverse / np.diag(inverse)[None, :]
    np.fill_diagonal(expected, 0.0)
    np.testing.assert_allclose(fitted.strength, expected, atol=1e-5)


def test_a_choice_by_two_windows_counts_a_customer_once_and_weighs_both(shop) -> None:  # type: ignore[no-untyped-def]
    one, two = (Study(shop, replace(LIGHT, n_judged=number)) for number in (1, 2))
    earlier, later = AS_OF - 2 * HORIZON, AS_OF - HORIZON
    assert one.judged_from == [later] and two.judged_from == [later, earlier]
    first, both = one.choose()["all"], two.choose()["all"]
    assert first.n_judged <= both.n_judged <= shop.n_customers and "in two parts" in both.words and "parts" not in first.words
    alone = {start: Study(shop.before(start + HORIZON), replace(LIGHT, n_judged=1)) for start in (later, earlier)}
    for tried in both.tried:
        each = [study._ndcg_in_views(tried.name, start)["all"] for start, study in alone.items()]
        assert tried.ndcg == pytest.approx(np.concatenate(each).mean())


def test_too_little_to_compare_is_said() -> None:
    known = interactions([0, 1, 2], [0, 1, 2], [1, 2, 3], n_customers=3, n_items=3, as_of=10, horizon_days=5)
    chosen = Study(known, LIGHT).choose()
    assert chosen["new"].name == POPULARITY and "nothing can be compared yet" in chosen["new"].words


def clerk_of(shop, offered=None) -> Clerk:  # type: ignore[no-untyped-def]
    names = [f"item {place}" for place in range(N_ITEMS)]
    allowed = offered_items(shop.last_day, AS_OF, 90, np.zeros(N_ITEMS, dtype=bool)) if offered is None else offered
    personal, ease = UserNeighbours(n_neighbours=20).fit(shop), Ease(penalty=5.0).fit(shop)
    return Clerk(shop, {"all": personal, "new": ease, "again": personal}, names, ["Catland", "Dogland"], allowed)


def test_reasons_tell_the_rhythm_the_companion_and_the_cold(shop) -> None:  # type: ignore[no-untyped-def]
    (found,) = clerk_of(shop).lists(np.array([0, 2 * N_EACH]), 3)
    by_view = {view: [n for n, one in enumerate(found.view) if one == view and found.customer[n] == 0] for view in VIEWS}
    assert all(found.reason[n].startswith("goes with item ") for n in by_view["new"])
    assert re.fullmatch(r"bought every (19|20) days, last \d+ days ago", found.reason[by_view["again"][0]])
    cold = [n for n in range(len(found.view)) if found.customer[n] == 2 * N_EACH]
    assert cold and all(found.is_cold[n] for n in cold) and not any(found.is_cold[n] for n in by_view["all"])
    assert {found.view[n] for n in cold} == {"all", "new"} and found.reason[cold[0]] == "popular in the last 30 days"


def test_items_no_longer_sold_and_excluded_ones_are_never_listed(shop) -> None:  # type: ignore[no-untyped-def]
    excluded = np.zeros(N_ITEMS, dtype=bool)
    excluded[0] = True
    offered = offered_items(shop.last_day, AS_OF, 90, excluded)
    assert not offered[GONE] and not offered[0]
    listed = np.concatenate([one.item for one in clerk_of(shop, offered).lists(np.arange(shop.n_customers), N_ITEMS)])
    assert GONE not in listed and 0 not in listed


def test_bought_together_needs_more_than_chance() -> None:
    random = np.random.default_rng(1)
    day = np.arange(3000)
    rows = [(d, d) for d in day]
    items = {0: random.random(3000) < 0.2}
    items[1] = items[0] & (random.random(3000) < 0.6)
    items[2] = random.random(3000) < 0.3  # has nothing to do with the others
    table = [(d, item, d) for item, mask in items.items() for (d, _), hit in zip(rows, mask, strict=True) if hit]
    customer, item, when = (np.array(column) for column in zip(*table, strict=True))
    known = interactions(customer, item, when, n_customers=3000, n_items=3, as_of=3001, horizon_days=30)
    found = bought_together(baskets_of(known))
    assert list(zip(found.item.tolist(), found.other.tolist(), strict=True)) == [(0, 1), (1, 0)]
    assert found.share[1] == 1.0 and found.lift[0] == pytest.approx(found.lift[1]) and (found.p_value < 1e-9).all()


def test_ndcg_by_hand() -> None:
    from scipy.sparse import csr_matrix

    wanted = csr_matrix(np.array([[1, 0, 1, 0]]))
    assert ndcg_of(np.array([[2, 3]]), wanted)[0] == pytest.approx(1 / (1 + 1 / np.log2(3)))
