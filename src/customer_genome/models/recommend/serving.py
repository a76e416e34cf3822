"""The lists a shop gets: top items of every customer and view, each with a reason in words.

Comes in: what is known, a fitted champion per view, names of items. Goes out: columns of plain values, batch by batch. The rules
of `lists` hold: nothing owned under "new". Customers without history get what is popular in their group, and are marked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from customer_genome.models.recommend.contract import Fitted, FloatArray, IntArray, Interactions, batches_of
from customer_genome.models.recommend.items import ItemNeighbours
from customer_genome.models.recommend.lists import View, best_in_view, best_of
from customer_genome.models.recommend.popularity import GroupPopularity
from customer_genome.models.recommend.ranker import ends_of_pairs

LIKE_YOU = "bought by customers like this one"
POPULAR_DAYS = 30


@dataclass(frozen=True)
class Listed:
    """Rows of lists: one per customer, view and rank.

    `customer` and `item` are places; `score` orders within a list and has no unit.
    """

    customer: IntArray
    view: tuple[str, ...]
    rank: IntArray
    item: IntArray
    score: FloatArray
    reason: tuple[str, ...]
    is_cold: npt.NDArray[np.bool_]


class Clerk:
    """Makes lists with reasons.

    Parameters
    ----------
    known : Interactions
    champions : view -> fitted recommender
        The same object under several views is asked once per batch.
    names : sequence of str, length n_items
        What items are called in reasons.
    groups : sequence of str
        What groups are called.
    offered : bool array, shape (n_items,)
        What may be listed.
    recent_buyers : int array, shape (n_items,), optional
        Customers who bought each item in the last 30 days; counted among those of `known` where it is not given.
    """

    def __init__(
        self,
        known: Interactions,
        champions: Mapping[View, Fitted],
        names: Sequence[str],
        groups: Sequence[str],
        offered: npt.NDArray[np.bool_],
        recent_buyers: IntArray | None = None,
    ) -> None:
        self.champions, self.names, self.groups, self.offered = champions, names, groups, offered
        self.popular: Fitted = GroupPopularity().fit(known)
        self.alike = ItemNeighbours(20).fit(known).strength.tocsc()
        counted = known.buyers_between(known.as_of - POPULAR_DAYS, known.as_of) if recent_buyers is None else recent_buyers
        self.recent_buyers = counted.astype(np.int64)
        self._meet(known)

    def _meet(self, known: Interactions) -> None:
        """Take the customers of whom lists are made."""
        self.known = known
        starts, ends = ends_of_pairs(known)
        key = known.customer * known.n_items + known.item
        self.pairs = key[starts]
        self.first, self.last, self.times = known.day[starts], known.day[ends], ends - starts + 1
        self.is_cold = known.histories() == 0

    def for_others(self, known: Interactions, learned: IntArray) -> Clerk:
        """Return a clerk for other customers: what was learned stays, their own histories are `known`.

        Parameters
        ----------
        known, learned : as in `Fitted.for_others`
        """
        moved = {id(one): one.for_others(known, learned) for one in self.champions.values()}
        found = copy(self)
        found.champions = {view: moved[id(one)] for view, one in self.champions.items()}
        found.popular = self.popular.for_others(known, learned)
        found._meet(known)
        return found

    def alone(self) -> Clerk:
        """Return the clerk without any customer: what travels to where the others are."""
        nobody = replace(
            self.known,
            **dict.fromkeys(("customer", "item", "day", "group"), np.zeros(0, dtype=np.int64)),  # type: ignore[arg-type]
            n_customers=0,
        )
        return self.for_others(nobody, np.zeros(0, dtype=np.int64))

    def popular_items(self, n: int) -> tuple[IntArray, FloatArray, list[str]]:
        """Return what is popular with everybody, best first: places, scores and reasons."""
        nobody = replace(self.alone().known, n_customers=1, group=np.full(1, -1, dtype=np.int64))
        scores = self.popular.for_others(nobody, nobody.group).scores(np.zeros(1, dtype=np.int64))
        best, values = best_of(np.where(self.offered[None, :], scores, np.float32(-np.inf)), n)
        places = best[0][best[0] >= 0]
        reasons = [self._sales(int(item)) or "popular" for item in places]
        return places, values[0][best[0] >= 0].astype(np.float64), reasons

    def _sales(self, item: int) -> str:
        """Return how an item sold lately, empty where hardly anybody bought it."""
        n = int(self.recent_buyers[item])
        return f"bought by {n:,} customers in the last {POPULAR_DAYS} days" if n >= 2 else ""

    def lists(self, customers: IntArray, n: int) -> Iterator[Listed]:
        """Yield the lists of customers, batch by batch, in the order of the customers, then views, then ranks."""
        for part in batches_of(customers, self.known.n_items):
            yield self._batch(customers[part], n)

    def _batch(self, customers: IntArray, n: int) -> Listed:
        scored: dict[int, npt.NDArray[np.float32]] = {}
        cold = self.is_cold[customers]
        places, values, views = [], [], list(self.champions)
        for view, fitted in self.champions.items():
            if id(fitted) not in scored:
                scored[id(fitted)] = fitted.scores(customers)
                if cold.any():
                    scored[id(fitted)][cold] = self.popular.scores(customers[cold])
            best, score = best_in_view(scored[id(fitted)], self.known, customers, view, n, self.offered)
            places.append(best)
            values.append(score)
        items, scores = np.stack(places, axis=1), np.stack(values, axis=1)
        rows, kinds, ranks = np.nonzero(items >= 0)
        chosen = items[rows, kinds, ranks]
        who = customers[rows]
        return Listed(
            who,
            tuple(views[kind] for kind in kinds),
            ranks + 1,
            chosen,
            scores[rows, kinds, ranks].astype(np.float64),
            tuple(self.reasons(who, chosen)),
            cold[rows],
        )

    def reasons(self, customers: IntArray, items: IntArray) -> list[str]:
        """Return why each item is listed for each customer: own rhythm, an owned item it goes with, similar customers, or its sales."""
        if not len(customers):
            return []
        wanted = customers * self.known.n_items + items
        at = np.minimum(np.searchsorted(self.pairs, wanted), max(len(self.pairs) - 1, 0))
        owned = self.pairs[at] == wanted if len(self.pairs) else np.zeros(len(wanted), dtype=bool)
        with_item = self._goes_with(customers, items, ~owned)
        found = []
        for row, (customer, item) in enumerate(zip(customers.tolist(), items.tolist(), strict=True)):
            if owned[row]:
                found.append(self._rhythm(int(at[row])))
            elif with_item[row] >= 0:
                found.append(f"goes with {self.names[with_item[row]]}")
            elif self.is_cold[customer]:
                group = self.known.group[customer]
                found.append(f"popular in {self.groups[group]}" if group >= 0 else f"popular in the last {POPULAR_DAYS} days")
            else:
                found.append(self._sales(item) or LIKE_YOU)
        return found

    def _rhythm(self, pair: int) -> str:
        """Return how often and when a customer bought an item."""
        age = int(self.known.as_of - self.last[pair])
        times = int(self.times[pair])
        since = f"{age} day{'' if age == 1 else 's'} ago"
        if times == 1:
            return f"bought once, {since}"
        gap = max(1, round((self.last[pair] - self.first[pair]) / (times - 1)))
        every = "every day" if gap == 1 else f"every {gap} days"
        return (
            f"bought {every}, last {since}"
            if times > 2
            else f"bought twice, {gap} day{'' if gap == 1 else 's'} apart, last {since}"
        )

    def _goes_with(self, customers: IntArray, items: IntArray, asked: npt.NDArray[np.bool_]) -> IntArray:
        """Return the owned item that speaks most for each listed item, -1 where none is among its 20 nearest."""
        found = np.full(len(customers), -1, dtype=np.int64)
        rows = np.flatnonzero(asked)
        if not len(rows):
            return found
        columns = self.alike[:, items[rows]].T.tocsr()
        said = columns.multiply(self.known.owned[customers[rows]]).tocsr()
        said.eliminate_zeros()
        place = np.repeat(np.arange(len(rows)), np.diff(said.indptr))
        order = np.lexsort((said.indices, -said.data, place))
        first = order[np.unique(place[order], return_index=True)[1]] if len(order) else order
        found[rows[place[first]]] = said.indices[first]
        return found


def offered_items(
    last_day: IntArray, as_of: int, sold_within_days: int, excluded: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_]:
    """Return what may be listed: sold to anybody within the last days (-1 for never), and not excluded by the user.

    Examples
    --------
    >>> offered_items(np.array([5, 95, 96]), 100, 30, np.array([False, False, True])).tolist()
    [False, True, False]
    """
    return (last_day >= as_of - sold_within_days) & (last_day >= 0) & ~excluded
