"""A shop whose right answers are obvious: two tastes that never mix, a rhythm, and an item nobody sells any more."""

from __future__ import annotations

import numpy as np

from customer_genome.models.recommend.contract import Interactions, interactions

N_EACH, N_ITEMS, HORIZON = 60, 24, 30
AS_OF = 400
CATS, DOGS = range(10), range(10, 20)
GONE = 20


def two_tastes(seed: int = 3) -> Interactions:
    """Return customers 0..59 who buy items 0..9 only and 60..119 who buy 10..19 only; 120 has bought nothing.

    Everybody buys one item of their own (customer % 10 of the taste) every 20 days; item 20 was sold to all, long ago.
    """
    random = np.random.default_rng(seed)
    rows = []
    for customer in range(2 * N_EACH):
        taste = CATS if customer < N_EACH else DOGS
        mine = taste[customer % 10]
        rows += [(customer, mine, day) for day in range(5 + customer % 7, AS_OF, 20)]
        rows += [(customer, int(random.choice(taste)), int(random.integers(10, AS_OF))) for _ in range(5)]
        rows.append((customer, GONE, 3))
    customer, item, day = (np.array(column) for column in zip(*rows, strict=True))
    group = np.r_[np.zeros(N_EACH, int), np.ones(N_EACH, int), [-1]]
    return interactions(
        customer, item, day, n_customers=2 * N_EACH + 1, n_items=N_ITEMS, as_of=AS_OF, horizon_days=HORIZON, group=group
    )
