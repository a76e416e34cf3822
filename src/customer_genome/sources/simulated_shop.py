"""The simulated shop's settings: how its customers buy, what it sells, what goes wrong in its data.

Comes in: values with a meaning, through `synthetic.simulate`. Goes out: a checked `Shop`, and the `Recipe` of arrays that
the draws need. This module draws nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, get_args

import numpy as np

from customer_genome.errors import did_you_mean
from customer_genome.sources.simulated_orders import Floats, Ints, Recipe

EdgeCase = Literal["ties", "nulls", "leap_days", "midnight"]

DEFAULT_CATEGORIES: Final[Mapping[str, int]] = {"Home Decor": 120, "Kitchen": 90, "Bags": 40, "Toys": 60, "Other": 90}
DEFAULT_COUNTRIES: Final[Mapping[str, float]] = {"United Kingdom": 0.86, "Germany": 0.05, "France": 0.05, "Norway": 0.04}
_THINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "Home Decor": ("Candle Holder", "Picture Frame", "Wall Clock", "Cushion Cover", "Lantern"),
    "Kitchen": ("Mug", "Baking Tray", "Tea Towel", "Bowl", "Cutlery Set"),
    "Bags": ("Lunch Bag", "Shoulder Bag", "Jumbo Bag", "Purse", "Rucksack"),
    "Toys": ("Wooden Train", "Doll House", "Spinning Top", "Teddy", "Puzzle"),
}
_COLOURS: Final = ("Red", "Blue", "Ivory", "Green", "Rose", "Black", "Silver", "Striped", "Spotty", "Vintage")


@dataclass(frozen=True)
class PurchaseParameters:
    """BG/NBD: order rates are gamma(r, alpha), rate per day with alpha in days; leaving probabilities are beta(a, b)."""

    r: float = 0.7
    alpha: float = 40.0
    a: float = 0.7
    b: float = 3.0


@dataclass(frozen=True)
class SpendParameters:
    """Gamma-gamma: an order is worth gamma(p, rate nu) in shop currency; nu is gamma(q, rate gamma). Mean p*gamma/(q-1)."""

    p: float = 6.0
    q: float = 4.0
    gamma: float = 20.0


@dataclass(frozen=True)
class Promotion:
    """A campaign: its first and last day, the part of the price taken off, how many lines have it, how much busier it is."""

    promotion_id: str
    starts_on: dt.date
    ends_on: dt.date
    discount: float = 0.2
    share_of_lines: float = 0.6
    lift: float = 1.5


@dataclass(frozen=True)
class Shop:
    """What is simulated; `synthetic.simulate` explains the fields."""

    n_customers: int
    start: dt.date = dt.date(2023, 1, 1)
    days: int = 365
    seed: int = 7
    purchases: PurchaseParameters = PurchaseParameters()
    spend: SpendParameters = SpendParameters()
    mean_lines: float = 3.0
    arrival_days: int = 180
    hidden_days: int = 0
    month_multipliers: tuple[float, ...] = (1.0,) * 12
    weekday_multipliers: tuple[float, ...] = (1.0,) * 7
    categories: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULT_CATEGORIES))
    countries: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_COUNTRIES))
    taste: float = 0.4
    promotions: tuple[Promotion, ...] = ()
    deal_seeker_share: float = 0.0
    deal_seeker_lift: float = 5.0
    refund_rate: float = 0.0
    refund_delay_days: float = 10.0
    duplicate_rate: float = 0.0
    missing_customer_rate: float = 0.0
    zero_price_rate: float = 0.0
    zero_quantity_rate: float = 0.0
    missing_date_rate: float = 0.0
    unreadable_rate: float = 0.0
    null_rate: float = 0.0
    opening_hours: tuple[float, float] = (8.0, 20.0)
    customer_ids: Literal["integer", "text"] = "integer"
    as_text: bool = False
    edge_cases: frozenset[EdgeCase] = frozenset()

    @property
    def ends_before(self) -> dt.date:
        """Return the first day after the data: the natural `as_of`."""
        return self.start + dt.timedelta(days=self.days)

    def product_names(self) -> tuple[list[str], list[str], list[str]]:
        """Return id, description and category of every product."""
        ids, descriptions, categories = [], [], []
        for place, (category, count) in enumerate(self.categories.items()):
            things = _THINGS.get(category, (f"{category} Item",))
            for number in range(count):
                colour, thing = _COLOURS[number % len(_COLOURS)], things[number // len(_COLOURS) % len(things)]
                ids.append(f"{place + 1}{number + 1:04d}")
                descriptions.append(f"{colour} {thing} No {number + 1}")
                categories.append(category)
        return ids, descriptions, categories

    def recipe(self) -> Recipe:
        """Return the parameters in the form the draws need."""
        popularity, category_steps = _popularity(self.categories)
        promotion_of_day = np.full(self.days, -1, dtype=np.int64)
        for index, each in enumerate(self.promotions):
            first, last = (each.starts_on - self.start).days, (each.ends_on - self.start).days
            promotion_of_day[max(first, 0) : max(last + 1, 0)] = index
        share = np.array(list(self.countries.values()), dtype=float)
        rates = (
            self.duplicate_rate, self.missing_customer_rate, self.zero_price_rate, self.zero_quantity_rate,
            self.missing_date_rate, *(self.unreadable_rate / 3.0,) * 3,
        )  # fmt: skip
        buy, spend = self.purchases, self.spend
        return Recipe(
            seed=self.seed, purchases=(buy.r, buy.alpha, buy.a, buy.b), spend=(spend.p, spend.q, spend.gamma),
            clock=self._clock(promotion_of_day), hidden_days=self.hidden_days, days=self.days,
            arrival_days=min(self.arrival_days, self.days), mean_lines=self.mean_lines,
            country_steps=_steps(share), category_steps=category_steps, product_table=popularity,
            list_price=_list_prices(len(self.product_names()[0])), taste=self.taste, deal_seeker_share=self.deal_seeker_share,
            promotion_of_day=promotion_of_day, promotion_depth=np.array([each.discount for each in self.promotions]),
            promotion_share=np.array([each.share_of_lines for each in self.promotions]), refund_rate=self.refund_rate,
            refund_delay_days=self.refund_delay_days, fault_rates=np.array(rates), opening_hours=self.opening_hours,
            null_rate=max(self.null_rate, 0.05 if "nulls" in self.edge_cases else 0.0), tied="ties" in self.edge_cases,
            midnight_share=0.2 if "midnight" in self.edge_cases else 0.0,
        )  # fmt: skip

    def _clock(self, promotion_of_day: Ints) -> Floats:
        """Return the accumulated day multipliers: row 0 for ordinary customers, row 1 for deal seekers."""
        begin = self.start - dt.timedelta(days=self.hidden_days)
        days = [begin + dt.timedelta(days=number) for number in range(self.hidden_days + self.days)]
        busy = np.array([self.month_multipliers[day.month - 1] * self.weekday_multipliers[day.weekday()] for day in days])
        if "leap_days" in self.edge_cases:
            busy *= [5.0 if (day.month, day.day) == (2, 29) else 1.0 for day in days]
        lifts = np.array([1.0, *(each.lift for each in self.promotions)])
        lift = np.concatenate([np.ones(self.hidden_days), lifts[promotion_of_day + 1]])
        promoted = np.concatenate([np.zeros(self.hidden_days, dtype=bool), promotion_of_day >= 0])
        rows = np.stack([busy * lift, busy * lift * np.where(promoted, self.deal_seeker_lift, 1.0)])
        return np.concatenate([np.zeros((2, 1)), np.cumsum(rows, axis=1)], axis=1)


def shop_faults(shop: Shop) -> list[str]:
    """Return what is impossible about the settings, in words."""
    rates = [each.name for each in fields(shop) if each.name.endswith(("_rate", "_share"))] + ["taste"]
    positive = {f"purchases.{name}": getattr(shop.purchases, name) for name in ("r", "alpha", "a", "b")}
    positive |= {f"spend.{name}": getattr(shop.spend, name) for name in ("p", "q", "gamma")}
    positive |= {"n_customers": shop.n_customers, "days": shop.days, "arrival_days": shop.arrival_days}
    faults = [f"{name} must be above 0, got {value}" for name, value in positive.items() if not value > 0]
    faults += [f"{name} must be 0..1, got {getattr(shop, name)}" for name in rates if not 0.0 <= getattr(shop, name) <= 1.0]
    for name, count in (("month_multipliers", 12), ("weekday_multipliers", 7)):
        values = getattr(shop, name)
        if len(values) != count or min(values, default=0.0) < 0.0 or max(values, default=0.0) <= 0.0:
            faults.append(f"{name} wants {count} numbers >= 0, one of them above 0, got {tuple(values)}")
    for name in ("categories", "countries"):
        counts = getattr(shop, name)
        if not counts or min(counts.values()) < 0 or sum(counts.values()) <= 0:
            faults.append(f"{name} wants at least one name with a number above 0, got {dict(counts)}")
    for each in shop.promotions:
        in_range = 0.0 < each.discount < 1.0 and 0.0 <= each.share_of_lines <= 1.0 and each.lift > 0.0
        if each.starts_on > each.ends_on or not in_range:
            wanted = "starts_on <= ends_on, 0 < discount < 1, 0 <= share_of_lines <= 1, lift > 0"
            faults.append(f"promotion {each.promotion_id!r}: wants {wanted}")
    return faults + _odd_faults(shop)


def _odd_faults(shop: Shop) -> list[str]:
    """Return the faults that are no plain range."""
    faults = []
    opens, closes = shop.opening_hours
    if not 0.0 <= opens < closes <= 24.0:
        faults.append(f"opening_hours must rise within 0..24, got {shop.opening_hours}")
    if shop.mean_lines < 1.0 or shop.hidden_days < 0 or shop.refund_delay_days <= 0.0 or shop.deal_seeker_lift <= 0.0:
        faults.append("mean_lines must be >= 1, hidden_days >= 0, refund_delay_days and deal_seeker_lift above 0")
    if shop.customer_ids not in ("integer", "text"):
        faults.append(f'customer_ids must be "integer" or "text", got {shop.customer_ids!r}')
    for case in sorted(shop.edge_cases - set(get_args(EdgeCase))):
        faults.append(f"unknown edge case {case!r}.{did_you_mean(case, get_args(EdgeCase))}")
    years = range(shop.start.year, shop.ends_before.year + 1)
    leap_days = [dt.date(year, 3, 1) - dt.timedelta(days=1) for year in years]
    if "leap_days" in shop.edge_cases and not any(day.day == 29 and shop.start <= day < shop.ends_before for day in leap_days):
        faults.append(f"leap_days: there is no 29 February from {shop.start} to {shop.ends_before}")
    return faults


def _steps(weights: Any) -> Floats:
    """Return the accumulated shares of weights: 0 first, 1 last."""
    return np.concatenate([[0.0], np.cumsum(weights)[:-1] / np.sum(weights), [1.0]])


def _popularity(categories: Mapping[str, int]) -> tuple[Ints, Floats]:
    """Return a table of products by popularity (1 / rank^0.7 within a category) and the categories' accumulated shares."""
    weights = np.concatenate([np.arange(1, count + 1) ** -0.7 for count in categories.values()])
    share = weights / weights.sum()
    size = 1 << max(16, int(len(weights) * 16).bit_length())
    table = np.searchsorted(np.cumsum(share), (np.arange(size) + 0.5) / size, side="right")
    ends = np.cumsum(list(categories.values()))
    steps = np.concatenate([[0.0], np.cumsum(share)[np.maximum(ends, 1) - 1]])
    steps[-1] = 1.0
    return np.minimum(table, len(weights) - 1).astype(np.int64), steps


def _list_prices(n_products: int) -> Floats:
    """Return a price per product: spread over 0.5 to 25, the same for every seed."""
    place = np.random.Generator(np.random.PCG64(n_products)).random(n_products)
    return np.round(0.5 * 50.0**place, 2)
