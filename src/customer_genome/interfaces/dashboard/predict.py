"""The page Predict: one customer's fields, filled in or by hand, and what a stored model says of them.

Comes in: the models of the workspace: those of `genome profiles train`, and those the published version was scored with. Goes out: segment,
risk, money with its range, and reasons. Nothing is trained and nothing is stored here; what is typed in is forgotten with the page.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping

import streamlit as st

from customer_genome.errors import RegistryError, SnapshotError
from customer_genome.interfaces.dashboard.markup import plain
from customer_genome.interfaces.dashboard.predict_profiles import show_profiles
from customer_genome.interfaces.dashboard.predict_shop import can_be_asked, show_shop
from customer_genome.interfaces.dashboard.session import visit, workspace_root
from customer_genome.registry import aliases, card_of, stored_versions
from customer_genome.snapshot import current_version
from customer_genome.stages.labelled import KIND
from customer_genome.workspace import Workspace

SHOP = "orders"


def show() -> None:
    """Show which models there are, and the one that is chosen."""
    st.title("Predict one customer", anchor=False)
    place = Workspace(workspace_root())
    models = _models(place)
    if not models:
        _say_how_to_get_one(place)
        return
    chosen = next(iter(models))
    if len(models) > 1:
        chosen = st.selectbox(
            "Model",
            list(models),
            format_func=lambda name: models[name][0],
            key="model",
            bind="query-params",
            help="Models of customer tables come from `genome profiles train`, that of your orders from `genome run`.",
        )
    models[chosen][1]()


def _models(place: Workspace) -> Mapping[str, tuple[str, Callable[[], None]]]:
    """Return the models by name: what each is called, and what shows it; the one in use first."""
    found: dict[str, tuple[str, Callable[[], None]]] = {}
    try:
        used = aliases(place.models, KIND).get("champion", "")
        versions = sorted(stored_versions(place.models, KIND), key=lambda one: (one == used, one), reverse=True)
        for version in versions:
            card = card_of(place.models, KIND, version)
            labels = " and ".join(str(label) for label in card.get("labels", {}).values())
            name = f"Customer table: {labels}, {int(card.get('n_customers', 0)):,} customers ({version}{', in use' if version == used else ''})"
            found[version] = (name, lambda version=version: show_profiles(place, version))  # type: ignore[misc]
    except RegistryError as err:
        st.warning(plain(err))
    try:
        current_version(place)
        seen = visit()
        if can_be_asked(seen):
            found[SHOP] = (f"Your orders: risk and spend as in version {seen.genome.snapshot.version}", lambda: show_shop(seen))
    except SnapshotError:
        pass  # a model of a customer table needs no published version
    return found


def _table_of(place: Workspace) -> str:
    """Return the table of customers the version was made from, as a word of a command; a name to fill in where there is none."""
    try:
        current_version(place)
    except SnapshotError:
        return "customers.csv"
    source = visit().manifest.get("sources", {}).get("customer_totals")
    return shlex.quote(str(source["label"])) if source else "customers.csv"


def _say_how_to_get_one(place: Workspace) -> None:
    """Say how a model comes about."""
    st.info("There is no model to ask yet.")
    st.markdown("Train one on a customer table that says who churned or what they spent next, then reload this page:")
    st.code(f"genome profiles train {_table_of(place)} --workspace {place.root}", language=None, wrap_lines=True)
    st.markdown("Or turn order lines into a customer genome; its models can be asked here too:")
    st.code(f"genome run orders.csv --workspace {place.root}", language=None, wrap_lines=True)


show()
