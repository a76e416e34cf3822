"""The draws behind the simulator: one block of customers, their lives and everything they order.

Comes in: parameters as plain values (`Recipe`) and a block number. Goes out: numpy arrays of customers (`Lives`) and of
order lines (`Lines`). Customers are drawn in fixed blocks of `BLOCK_CUSTOMERS`, each with random streams of its own (one
per purpose), so that neither the size of the batches nor the number of customers nor the faults that are mixed in changes
what a customer buys. This module reads no file and no clock, and builds no Arrow.

How a life is drawn (BG/NBD): the first order falls on a uniform day of the arrival window; further orders form a Poisson
process with the customer's own rate; after each of them the customer leaves with the customer's own probability. Season,
weekday and promotions stretch time: the process runs on a clock that ticks `multiplier` times as fast on a busy day.
Source: Fader, Hardie & Lee (2005), Marketing Science 24(2), section 3; spend: Fader, Hardie & Lee (2005), J. Marketing
Research 42(4), appendix (gamma-gamma).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

BLOCK_CUSTOMERS: Final = 1024
SECONDS_PER_DAY: Final = 86_400

# what a row is; the row ledger's class is ROW_CLASSES[kind]
KEPT, DUPLICATE, CANCELLED, NO_CUSTOMER, ZERO_PRICE, ZERO_QUANTITY, NO_DATE, TEXT_QUANTITY, TEXT_PRICE, TEXT_DATE = range(10)
ROW_CLASSES: Final = (
    "kept", "duplicate", "cancelled", "no_customer", "bad_price", "bad_quantity", "bad_date",
    "bad_quantity", "bad_price", "bad_date",
)  # fmt: skip
FAULTS: Final = (DUPLICATE, NO_CUSTOMER, ZERO_PRICE, ZERO_QUANTITY, NO_DATE, TEXT_QUANTITY, TEXT_PRICE, TEXT_DATE)

_LIVES, _EVENTS, _VALUES, _BASKETS, _DISCOUNTS, _REFUNDS, _FAULTS, _NULLS, _CLOCK = range(9)


@dataclass(frozen=True, eq=False)
class Recipe:
    """Everything a block needs, as arrays.

    Attributes
    ----------
    seed : int
    purchases : (r, alpha, a, b), rates per day
    spend : (p, q, gamma), shop currency
    clock : float array, shape (2, hidden_days + days + 1)
        Accumulated day multipliers from the first simulated day; row 0 ordinary customers, row 1 deal seekers.
    hidden_days, days : int
        Days before the data begin (simulated, not shown) and days shown.
    arrival_days : int
        First orders fall on the days before this one, counted from `start`.
    country_steps, category_steps : float arrays
        Accumulated shares, first 0, last 1; `category_steps` are those of the products' popularity.
    product_table : int array
        Product index by popularity: entry floor(u * size) for a uniform u.
    list_price : float array, shape (n_products,), shop currency per piece
    taste : float
        Probability that a line is from the customer's favourite category.
    promotion_of_day : int array, shape (days,)
        Index of the promotion that runs, -1 for none.
    promotion_depth, promotion_share : float arrays
        Part of the price that is taken off; part of the lines that are discounted.
    fault_rates : float array, one per entry of `FAULTS`
    """

    seed: int
    purchases: tuple[float, float, float, float]
    spend: tuple[float, float, float]
    clock: Floats
    hidden_days: int
    days: int
    arrival_days: int
    mean_lines: float
    country_steps: Floats
    category_steps: Floats
    product_table: Ints
    list_price: Floats
    taste: float
    deal_seeker_share: float
    promotion_of_day: Ints
    promotion_depth: Floats
    promotion_share: Floats
    refund_rate: float
    refund_delay_days: float
    fault_rates: Floats
    null_rate: float
    opening_hours: tuple[float, float]
    tied: bool
    midnight_share: float

    @property
    def n_products(self) -> int:
        """Return the number of products."""
        return len(self.list_price)

    def stream(self, block: int, purpose: int) -> np.random.Generator:
        """Return the random stream of one block and purpose."""
        seeds = np.random.SeedSequence(self.seed, spawn_key=(block, purpose))
        return np.random.Generator(np.random.SFC64(seeds))


@dataclass(frozen=True, eq=False)
class Lives:
    """Customers of one block, shape (BLOCK_CUSTOMERS,) each; instants are seconds since `start` (may be negative).

    `alive_until` is the order after which the customer left, NaN when still there at the end of the data.
    """

    rate_per_day: Floats
    dropout: Floats
    spend_rate: Floats
    mean_spend: Floats
    country: Ints
    favourite: Ints
    is_deal_seeker: Flags
    first_ordered_at: Floats
    alive_until: Floats
    n_orders: Ints


@dataclass(frozen=True, eq=False)
class Lines:
    """Order lines of one block in time order; `customer` counts within the block, `order` within the block's orders.

    `order_kind` is 0 for orders, 1 for cancellations, 2 for orders without a customer, one entry per order.
    """

    customer: Ints
    order: Ints
    product: Ints
    quantity: Ints
    cents: Ints
    second: Ints
    discount_cents: Ints
    kind: npt.NDArray[np.int8]
    nulls: npt.NDArray[np.int8]
    order_kind: npt.NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class _Orders:
    customer: Ints
    second: Ints
    value: Floats


def draw_block(recipe: Recipe, block: int) -> tuple[Lives, Lines]:
    """Draw the customers of one block and all their lines.

    Returns
    -------
    Lives, Lines
        The same for a seed and block whatever else is simulated.
    """
    lives, customer, time = _draw_lives(recipe, block)
    orders = _draw_orders(recipe, block, lives, customer, time)
    shown = np.bincount(orders.customer, minlength=BLOCK_CUSTOMERS)
    lives.n_orders[:] = shown
    return lives, _mix_in(recipe, block, orders, _draw_baskets(recipe, block, lives, orders))


def _draw_lives(recipe: Recipe, block: int) -> tuple[Lives, Ints, Floats]:
    """Return the customers, and the customer and clock time of each of their orders."""
    rng, size = recipe.stream(block, _LIVES), BLOCK_CUSTOMERS
    r, alpha, a, b = recipe.purchases
    p, q, gamma = recipe.spend
    rate = rng.standard_gamma(r, size) / alpha
    dropout = np.clip(rng.beta(a, b, size), 1e-12, 1.0)
    spend_rate = rng.standard_gamma(q, size) / gamma
    country = np.searchsorted(recipe.country_steps, rng.random(size), side="right") - 1
    favourite = np.searchsorted(recipe.category_steps, rng.random(size), side="right") - 1
    seeker = rng.random(size) < recipe.deal_seeker_share
    group = seeker.astype(np.int64)
    born = rng.random(size) * recipe.clock[group, recipe.hidden_days + recipe.arrival_days]
    customer, time, left = _draw_events(recipe, block, rate, dropout, born, recipe.clock[group, -1])
    return (
        Lives(
            rate, dropout, spend_rate, p / spend_rate, country, favourite, seeker,
            _seconds(recipe, born, group), _seconds(recipe, left, group), np.zeros(size, dtype=np.int64),
        ),
        customer,
        time,
    )  # fmt: skip


def _draw_events(
    recipe: Recipe, block: int, rate: Floats, dropout: Floats, born: Floats, end: Floats
) -> tuple[Ints, Floats, Floats]:
    """Return customer and clock time of every order, and the clock time of the order each customer left after (NaN: none).

    Given their number the orders of a Poisson process are uniform, so they are drawn at once and cut at the first one
    after which the customer leaves (its number is geometric).
    """
    rng, size = recipe.stream(block, _EVENTS), BLOCK_CUSTOMERS
    last_number = rng.geometric(dropout)
    n_candidates = rng.poisson(rate * (end - born))
    customer = np.repeat(np.arange(size), n_candidates)
    time = born[customer] + rng.random(len(customer)) * (end - born)[customer]
    span = float(recipe.clock[:, -1].max()) + 1.0
    key = np.sort(customer * span + time)
    time = np.clip(key - customer * span, born[customer], end[customer])
    number = np.arange(len(customer)) - np.repeat(np.cumsum(n_candidates) - n_candidates, n_candidates) + 1
    left = np.full(size, np.nan)
    leaving = number == last_number[customer]
    left[customer[leaving]] = time[leaving]
    stays = number <= last_number[customer]
    return np.concatenate([np.arange(size), customer[stays]]), np.concatenate([born, time[stays]]), left


def _seconds(recipe: Recipe, time: Floats, group: Ints) -> Floats:
    """Turn clock time into seconds since `start`: the day from the accumulated multipliers, the hour from the rest."""
    seconds = np.full(len(time), np.nan)
    opens, closes = recipe.opening_hours
    for row, clock in enumerate(recipe.clock):
        mine = np.flatnonzero((group == row) & ~np.isnan(time))
        day = np.clip(np.searchsorted(clock, time[mine], side="right") - 1, 0, len(clock) - 2)
        width = np.maximum(clock[day + 1] - clock[day], 1e-300)
        part = np.clip((time[mine] - clock[day]) / width, 0.0, 1.0 - 1e-12)
        hours = opens + part * (closes - opens)
        seconds[mine] = (day - recipe.hidden_days) * float(SECONDS_PER_DAY) + np.floor(hours * 3600.0)
    return seconds


def _draw_orders(recipe: Recipe, block: int, lives: Lives, customer: Ints, time: Floats) -> _Orders:
    """Return the orders inside the shown window, by time, with what each is worth."""
    second = _seconds(recipe, time, lives.is_deal_seeker[customer].astype(np.int64)).astype(np.int64)
    value = recipe.stream(block, _VALUES).standard_gamma(recipe.spend[0], len(customer)) / lives.spend_rate[customer]
    clock = recipe.stream(block, _CLOCK).random(len(customer))
    if recipe.tied:
        value = np.maximum(np.rint(value / 10.0), 1.0) * 10.0
        second = second // SECONDS_PER_DAY * SECONDS_PER_DAY + SECONDS_PER_DAY // 2
    second = np.where(clock < recipe.midnight_share, second // SECONDS_PER_DAY * SECONDS_PER_DAY, second)
    by_time = np.argsort(second, kind="stable")
    by_time = by_time[second[by_time] >= 0]
    return _Orders(customer[by_time], second[by_time], value[by_time])


def _draw_baskets(recipe: Recipe, block: int, lives: Lives, orders: _Orders) -> dict[str, Any]:
    """Split each order's value over distinct products; whole pieces at about the list price, money in whole cents."""
    rng, n_products = recipe.stream(block, _BASKETS), recipe.n_products
    n_lines = 1 + rng.poisson(recipe.mean_lines - 1.0, len(orders.customer)) if recipe.mean_lines > 1.0 else 1
    order = np.repeat(np.arange(len(orders.customer)), n_lines)
    favourite = lives.favourite[orders.customer][order]
    draw = rng.random(len(order))
    loyal = rng.random(len(order)) < recipe.taste
    low, high = recipe.category_steps[favourite], recipe.category_steps[favourite + 1]
    draw = np.where(loyal, low + draw * (high - low), draw)
    product = recipe.product_table[(draw * len(recipe.product_table)).astype(np.int64)]
    key = np.sort(order * n_products + product)
    key = key[np.concatenate([[True], key[1:] != key[:-1]])] if len(key) else key
    order, product = np.divmod(key, n_products)
    part = rng.standard_exponential(len(order)) + 1e-9
    total = orders.value[order] * part / np.bincount(order, part, minlength=len(orders.value))[order]
    if recipe.tied:
        total = np.maximum(np.rint(total), 1.0)
    quantity = np.maximum(np.rint(total / recipe.list_price[product]), 1.0)
    cents = np.maximum(np.rint(total * 100.0 / quantity), 1.0).astype(np.int64)
    return {
        "order": order,
        "product": product,
        "quantity": quantity.astype(np.int64),
        "cents": cents,
        "discount_cents": _discounts(recipe, block, orders.second[order], (cents * quantity).astype(np.float64)),
    }


def _discounts(recipe: Recipe, block: int, second: Ints, paid_cents: Floats) -> Ints:
    """Return the cents taken off each line: paid = full price x (1 - depth)."""
    if not len(recipe.promotion_depth):
        return np.zeros(len(second), dtype=np.int64)
    promotion = recipe.promotion_of_day[second // SECONDS_PER_DAY]
    running = promotion >= 0
    depth = np.where(running, recipe.promotion_depth[promotion], 0.0)
    hit = running & (recipe.stream(block, _DISCOUNTS).random(len(second)) < recipe.promotion_share[promotion])
    return np.where(hit, np.rint(paid_cents * depth / (1.0 - depth)), 0.0).astype(np.int64)


def _mix_in(recipe: Recipe, block: int, orders: _Orders, lines: dict[str, Any]) -> Lines:
    """Add cancellations, duplicates and faulty rows to the clean lines, in time order.

    Every added row is a copy of a clean line with something changed, so the clean lines stay what the truth says.
    """
    n_lines, n_orders = len(lines["order"]), len(orders.customer)
    source, second, back = _refunds(recipe, block, orders, lines)
    picks = [np.arange(n_lines), source]
    kinds = [np.full(n_lines, KEPT, np.int8), np.full(len(source), CANCELLED, np.int8)]
    rng = recipe.stream(block, _FAULTS)
    for kind, rate in zip(FAULTS, recipe.fault_rates, strict=True):
        hit = np.flatnonzero(rng.random(n_lines) < rate) if rate > 0.0 else np.zeros(0, dtype=np.int64)
        picks.append(hit)
        kinds.append(np.full(len(hit), kind, np.int8))
    pick, kind_of = np.concatenate(picks), np.concatenate(kinds)
    when = orders.second[lines["order"]][pick]
    when[n_lines : n_lines + len(source)] = second
    quantity, cents = lines["quantity"][pick], lines["cents"][pick]
    quantity[n_lines : n_lines + len(source)] = -back
    quantity[kind_of == ZERO_QUANTITY] = 0
    cents[kind_of == ZERO_PRICE] = 0
    discount = np.where(kind_of == CANCELLED, 0, lines["discount_cents"][pick])
    customer, order = orders.customer[lines["order"]][pick], lines["order"][pick].copy()
    own = np.flatnonzero((kind_of == CANCELLED) | (kind_of == NO_CUSTOMER))
    order[own] = n_orders + np.arange(len(own))
    order_kind = np.concatenate([np.zeros(n_orders, np.int8), np.where(kind_of[own] == CANCELLED, 1, 2).astype(np.int8)])
    nulls = _null_marks(recipe, block, n_lines)[pick]
    place = np.argsort(when, kind="stable") if len(pick) > n_lines else slice(None)
    return Lines(
        customer[place], order[place], lines["product"][pick][place], quantity[place], cents[place], when[place],
        discount[place], kind_of[place], nulls[place], order_kind,
    )  # fmt: skip


def _refunds(recipe: Recipe, block: int, orders: _Orders, lines: dict[str, Any]) -> tuple[Ints, Ints, Ints]:
    """Return which lines are sent back, when, and how many pieces (1 .. bought); only those before the data end."""
    rng, bought = recipe.stream(block, _REFUNDS), lines["quantity"]
    if recipe.refund_rate <= 0.0:
        return (np.zeros(0, dtype=np.int64),) * 3
    source = np.flatnonzero(rng.random(len(bought)) < recipe.refund_rate)
    delay = 3600.0 + rng.standard_exponential(len(source)) * recipe.refund_delay_days * SECONDS_PER_DAY
    second = orders.second[lines["order"]][source] + delay.astype(np.int64)
    whole, part = rng.random(len(source)) < 0.7, rng.random(len(source))
    back = np.where(whole, bought[source], 1 + np.floor(part * bought[source]).astype(np.int64))
    inside = second < recipe.days * SECONDS_PER_DAY
    return source[inside], second[inside], back[inside]


def _null_marks(recipe: Recipe, block: int, n_lines: int) -> npt.NDArray[np.int8]:
    """Return 0 for whole lines, else 1, 2 or 3: the description, category or country is missing."""
    if recipe.null_rate <= 0.0:
        return np.zeros(n_lines, np.int8)
    rng = recipe.stream(block, _NULLS)
    return np.where(rng.random(n_lines) < recipe.null_rate, rng.integers(1, 4, n_lines), 0).astype(np.int8)
