"""Every way to predict a label, in the order of the tables. A new one is a class and a line here."""

from __future__ import annotations

from customer_genome.models.profiles.learners import (
    Components,
    Learner,
    LinearModel,
    LinearRegression,
    SmoothLinearModel,
    SmoothLinearRegression,
    Task,
)
from customer_genome.models.profiles.naive import Everybody, OneColumn, SameAsColumn
from customer_genome.models.profiles.trees import Forest, GradientBoosting, LightGBM, NeuralNet, XGBoost

LEARNERS: tuple[Learner, ...] = (
    Everybody(),
    SameAsColumn(),
    OneColumn(),
    LinearModel(),
    LinearRegression(),
    SmoothLinearModel(),
    SmoothLinearRegression(),
    LightGBM(),
    XGBoost(),
    GradientBoosting(),
    Forest(),
    NeuralNet(),
)
FEW = ("everybody alike", "same as one column", "one column alone", "logistic regression", "linear regression")
"""What small tables can carry."""
QUICK = (*FEW, "LightGBM")


def learners_for(task: Task, *, names: tuple[str, ...] = (), n_components: int | None = None) -> tuple[list[Learner], list[str]]:
    """Return the learners of a task whose libraries are there, and in words which are left out for want of them."""
    wanted: list[Learner] = [one for one in LEARNERS if task in one.tasks and (not names or one.name in names)]
    if n_components:
        wanted.append(Components(n_components))
    lacking = [f"{one.name} is not compared: {why}." for one in wanted if (why := one.missing())]
    return [one for one in wanted if one.missing() is None], lacking
