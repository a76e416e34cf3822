"""Every way to predict a label: stored as plain arrays it predicts the same, its contributions add up, what it lacks is said."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from customer_genome.errors import RegistryError
from customer_genome.models.profiles import trees
from customer_genome.models.profiles.calibration import Calibration, choose_calibration, isotonic, platt
from customer_genome.models.profiles.columns import read_values, typed
from customer_genome.models.profiles.comparing import dealt
from customer_genome.models.profiles.encoding import Encoder
from customer_genome.models.profiles.explaining import blend_weights, contributions, is_exact, mixed, pack, scores, unpack
from customer_genome.models.profiles.leaks import best_split
from customer_genome.models.profiles.learners import Components, Rows, chance_of
from customer_genome.models.profiles.listed import LEARNERS, learners_for
from customer_genome.models.profiles.ranges import Ranges, held_out_ranges
from labelled_customers import labelled_customers

EVERY = [(learner, task) for learner in (*LEARNERS, Components(3)) for task in learner.tasks]


@pytest.fixture(scope="module")
def rows() -> dict[str, Rows]:
    """Customers under their encoder, with either label."""
    table = labelled_customers(n=150)
    columns, _ = typed(table, ["usage", "plan", "last_spend", "age"])
    values, _ = read_values(table, columns)
    encoder = Encoder.fit(values, columns)
    churned = np.array([one == "Yes" for one in table["Churn"].to_pylist()], dtype=float)
    spend = np.array([float(one) for one in table["next_month_spend"].to_pylist()])
    return {"churn": Rows(values, encoder, churned), "spend": Rows(values, encoder, spend)}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("learner", "task"), EVERY, ids=lambda one: getattr(one, "name", one))
def test_what_has_learned_is_stored_and_explained(learner, task, rows):
    if learner.missing():
        pytest.skip(str(learner.missing()))
    fitted = learner.fit(rows[task], task, learner.options(task, 7)[0], 7)
    found = scores(fitted, rows[task])
    assert found.shape == (150,) and np.isfinite(found).all()
    stored = pack(fitted)
    assert all(values.dtype != object for values in stored.values()), "arrays of objects would need pickle"
    assert np.array_equal(scores(unpack(stored), rows[task]), found)
    added = contributions(fitted, rows[task], rows[task].matrix("plain")[:5])
    assert added.values.shape == (150, 4) and np.allclose(
        added.base + added.values.sum(axis=1), found, atol=1e-4 * np.ptp(found) + 1e-9
    )
    assert added.is_exact is is_exact(fitted) is not isinstance(fitted, trees.SklearnFitted)


def test_a_blend_is_the_weighted_sum_and_so_are_its_reasons(rows):
    churn = rows["churn"]
    members = {
        one.name: one.fit(churn, "churn", one.options("churn", 7)[0], 7)
        for one in learners_for("churn")[0]
        if one.name in ("logistic regression", "LightGBM")
    }
    found = {name: scores(fitted, churn) for name, fitted in members.items()}
    weights = blend_weights(found, churn.y, "churn")
    blend = mixed(weights, list(members.values()))
    assert min(weights.weights) >= 0 and sum(weights.weights) > 0.3
    assert np.allclose(
        scores(blend, churn), weights.intercept + sum(w * found[n] for w, n in zip(weights.weights, weights.names, strict=True))
    )
    assert np.array_equal(scores(unpack(pack(blend)), churn), scores(blend, churn)) and is_exact(blend)
    added = contributions(blend, churn)
    assert np.allclose(added.base + added.values.sum(axis=1), scores(blend, churn))


def test_a_model_of_foreign_types_is_not_read(rows):
    from sklearn.feature_extraction.text import CountVectorizer
    from skops.io import dumps

    stored = pack(trees.SklearnFitted(None, True))
    stored["skops"] = np.frombuffer(dumps(CountVectorizer(tokenizer=print)), dtype=np.uint8)
    with pytest.raises(RegistryError, match="no model of this product holds"):
        unpack(stored)


def test_a_library_that_is_missing_is_said_and_does_without(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "xgboost" else found(name, *rest))
    learners, lacking = learners_for("churn")
    assert "XGBoost" not in [one.name for one in learners]
    assert lacking == ["XGBoost is not compared: XGBoost is not installed: pip install 'customer-genome[candidates]'."]


def test_calibration_mends_scores_that_are_too_sure():
    rng = np.random.default_rng(0)
    score = rng.normal(size=4000)
    y = (rng.random(4000) < chance_of(score - 0.5)).astype(float)
    line = platt(3 * score, y)
    assert line.slope == pytest.approx(1 / 3, rel=0.1) and line.intercept == pytest.approx(-0.5, abs=0.1)
    steps = isotonic(3 * score, y)
    assert np.all(np.diff(steps.chance(np.linspace(-9, 9, 50))) >= 0) and abs(steps.chance(3 * score).mean() - y.mean()) < 0.01
    bent = (rng.random(4000) < np.where(score > 0, 0.6, 0.2)).astype(float)
    folds = dealt(bent, 5, 1).astype(float)
    assert choose_calibration(score, y, folds).kind == "Platt" and choose_calibration(score, bent, folds).kind == "isotonic"
    assert choose_calibration(score[:300], bent[:300], folds[:300]).kind == "Platt", "few customers carry no steps"
    for one in (line, steps):
        assert np.array_equal(Calibration.from_json(one.as_json()).chance(score), one.chance(score))


def test_ranges_hold_eight_times_in_ten_also_where_errors_grow():
    rng = np.random.default_rng(2)
    predicted = rng.uniform(10, 100, 3000)
    y = predicted + rng.normal(size=3000) * predicted / 5
    lower, upper = held_out_ranges(predicted, y, dealt(y, 5, 1))
    for part in (predicted < 30, predicted > 80):
        assert 0.07 < np.mean(y[part] < lower[part]) < 0.14 and 0.07 < np.mean(y[part] > upper[part]) < 0.14
    again = Ranges.from_json(Ranges.fit(predicted, np.abs(y)).as_json())
    low, high = again.around(np.array([0.5]))
    assert 0 <= low[0] <= 0.5 <= high[0]


def test_parts_are_alike_in_their_labels():
    y = np.r_[np.ones(23), np.zeros(177)]
    assert {int(y[dealt(y, 5, 3) == fold].sum()) for fold in range(5)} <= {4, 5}
    money = np.random.default_rng(1).gamma(1, 50, 500)
    means = [money[dealt(money, 5, 3) == fold].mean() for fold in range(5)]
    assert np.ptp(means) < 0.25 * money.mean()


def test_one_split_is_found_from_either_side():
    x, y = np.array([1.0, 2, 3, 4, 5, 6]), np.array([1.0, 1, 1, 0, 0, 0])
    assert best_split(x, y) == (3.5, False, 1.0) and best_split(x, 1 - y) == (3.5, True, 1.0)


def test_the_encoder_knows_only_what_it_was_fitted_to():
    table = labelled_customers(n=150)
    columns, _ = typed(table, ["usage", "plan"])
    values, _ = read_values(table, columns)
    encoder = Encoder.fit({name: column[:100] for name, column in values.items()}, columns)
    odd = {"usage": np.array([1e9, np.nan]), "plan": np.array(["never seen", None], dtype=object)}
    x = encoder.matrix(odd, "plain")
    labels = encoder.labels("plain")
    assert x[0, labels.index("usage")] == encoder.matrix(values, "plain")[:100, 0].max(), "beyond the range counts as its end"
    assert not x[:, 1:].any(), "what was never seen is none of the categories"
    assert Encoder.from_json(encoder.as_json()) == encoder
