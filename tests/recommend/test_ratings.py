"""Ratings: recovered where they follow factors, counted where they are wrong, refused where nothing can be learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from customer_genome.errors import SourceError
from customer_genome.models.recommend.ratings import Ratings, fit_biases, fit_factors, later_rows, random_folds, rmse
from customer_genome.settings import Settings
from customer_genome.stages.rating import ratings_at, read_ratings, recommend_rated


def made(n_customers: int = 80, n_items: int = 60, seed: int = 5) -> Ratings:
    """Return ratings that follow two factors and biases, a third of all pairs."""
    random = np.random.default_rng(seed)
    customer, item = np.nonzero(random.random((n_customers, n_items)) < 0.4)
    taste, kind = random.normal(0, 1, (n_customers, 2)), random.normal(0, 1, (n_items, 2))
    mean = 3 + random.normal(0, 0.3, n_customers)[customer] + random.normal(0, 0.3, n_items)[item]
    rating = np.clip(mean + 0.6 * (taste[customer] * kind[item]).sum(axis=1) + random.normal(0, 0.2, len(customer)), 1, 5)
    return Ratings(customer, item, rating, random.integers(0, 100, len(customer)), n_customers, n_items, (1, 5))


def test_factors_beat_biases_and_biases_beat_the_mean_on_ratings_held_out() -> None:
    whole = made()
    held = next(iter(random_folds(len(whole), 5, 1)))
    known, asked = whole.take(~held), whole.take(held)
    mean = float(np.sqrt(np.mean((asked.rating - known.rating.mean()) ** 2)))
    assert rmse(fit_factors(known, 4, 0.05), asked) < 0.8 * rmse(fit_biases(known), asked) < 0.8 * mean


def test_expected_ratings_stay_on_the_scale_and_are_the_same_again() -> None:
    whole = made()
    model = fit_factors(whole, 4, 0.01)
    everybody = np.repeat(np.arange(whole.n_customers), whole.n_items)
    found = model.predict(everybody, np.tile(np.arange(whole.n_items), whole.n_customers))
    assert found.min() >= 1 and found.max() <= 5
    np.testing.assert_array_equal(fit_factors(whole, 4, 0.01).items, model.items)


def test_the_latest_ratings_are_held_out_by_time() -> None:
    whole = made()
    later = later_rows(whole, 0.2)
    assert whole.day[~later].max() < whole.day[later].min()


def folder_of(tmp_path: Path, ratings: str, items: str | None = None) -> Settings:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ratings.csv").write_text(ratings, encoding="utf-8")
    if items is not None:
        (tmp_path / "data" / "movies.csv").write_text(items, encoding="utf-8")
    return Settings(workspace=tmp_path)


HEADER = "userId,movieId,rating,timestamp\n"


def lines(n_customers: int = 12, n_items: int = 8) -> str:
    """Return MovieLens lines: odd customers like odd items."""
    return "".join(
        f"{customer},{item},{4.5 if (customer + item) % 2 == 0 else 1.5},{1_000_000_000 + 86400 * (customer + item)}\n"
        for customer in range(1, n_customers + 1)
        for item in range(1, n_items + 1)
        if (customer * 7 + item * 3) % 5
    )


def test_movies_come_with_titles_reasons_and_what_was_wrong(tmp_path: Path) -> None:
    titles = "movieId,title,genres\n" + "".join(f"{item},Amélie № {item},Drama\n" for item in range(1, 8))
    extra = "1,1,2.0,1900000000\n3,1,99,1000000000\n"
    settings = folder_of(tmp_path, HEADER + lines() * 1 + extra, titles)
    places = ratings_at(tmp_path / "data", settings)
    assert places is not None
    data = read_ratings(settings, places)
    assert data.ratings.scale == (0.5, 5)
    told = " ".join(data.notices)
    assert "1 ratings outside the scale 0.5 to 5" in told and "1 rated items have no title" in told
    assert "1 earlier ratings of an item by the same customer were replaced" in told or "1,1," not in lines()
    mine = (data.ratings.customer == data.customers.index("1")) & (data.ratings.item == data.items.index("1"))
    assert data.ratings.rating[mine].tolist() == [2.0]  # the last one
    found = recommend_rated(data, "1", 5, 7)
    rated = {data.items[item] for item in data.ratings.item[data.ratings.customer == data.customers.index("1")]}
    assert found["items"] and not rated & {row["item_id"] for row in found["items"]}
    assert all(row["title"] and row["reason"] and 0.5 <= row["expected_rating"] <= 5 for row in found["items"])
    assert found["is_known"] and not found["words"]


def test_somebody_who_rated_nothing_gets_what_is_liked_by_most_and_is_told(tmp_path: Path) -> None:
    settings = folder_of(tmp_path, HEADER + lines() + "77,1,1.0,1000000000\n")
    places = ratings_at(tmp_path / "data", settings)
    assert places is not None
    data = read_ratings(settings, places)
    unknown, cold = recommend_rated(data, "99", 8, 7), recommend_rated(data, "77", 8, 7)
    assert not unknown["is_known"] and unknown["is_cold"] and "Customer 99 has rated nothing" in unknown["words"]
    assert cold["is_known"] and cold["is_cold"] and "has rated nothing 4 or more" in cold["words"]
    likes = {row["item_id"]: int(row["reason"].split()[2]) for row in unknown["items"]}
    assert len(likes) == 8 and list(likes.values()) == sorted(likes.values(), reverse=True)
    assert "1" not in {row["item_id"] for row in cold["items"]} and len(cold["items"]) == 7
    assert all(0.5 <= row["expected_rating"] <= 5 for row in unknown["items"])


@pytest.mark.parametrize("text", ["1,1,4.0,1\n1,2,5.0,2\n", "1,1,4.0,1\n2,1,5.0,2\n"], ids=["one user", "one item"])
def test_one_user_or_one_item_is_refused_with_what_is_wanted(tmp_path: Path, text: str) -> None:
    settings = folder_of(tmp_path, HEADER + text)
    places = ratings_at(tmp_path / "data", settings)
    assert places is not None
    with pytest.raises(SourceError, match="at least two of each"):
        read_ratings(settings, places)


def test_a_folder_without_ratings_is_none(tmp_path: Path) -> None:
    assert ratings_at(tmp_path, Settings(workspace=tmp_path)) is None
