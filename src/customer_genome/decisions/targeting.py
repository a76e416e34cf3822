"""Who is worth a contact, within a budget, and who is held out so that the effect can be measured.

    expected gain = expected value loss x assumed response - cost of a contact

The expected value loss is value times risk: what is at stake with a customer. The response is an assumption, the share of it
that a contact keeps; only customers whose expected gain is above zero are listed, the highest first. Until a control group has
shown the response, the gain orders customers and is no forecast.

The control group is drawn from the list itself: customers are sorted by band of value, band of risk and money at stake, cut
into blocks of nearly equal size, and of each block one is held out, the one with the lowest digest of campaign and customer id.
So both groups hold alike customers, everybody in a block had the same chance, and the same list gives the same groups.

Comes in: NumPy arrays and ids, one entry per customer. Goes out: who is contacted and who is held out, and how alike both are.
This module must not read files or settings.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from customer_genome.decisions.customers import BoolArray, FloatArray, IntArray
from customer_genome.decisions.priority import BANDS
from customer_genome.errors import SettingsError

DEFAULT_RESPONSE = 0.05
"""Share of the value at risk that a contact is assumed to keep, where neither the playbook nor the user says."""
DEFAULT_CONTROL_SHARE = 0.1
MORE_THAN_ANYBODY_HAS = 1e12
"""Customers: a budget that pays for as many sets no limit."""
MOST_RETURNED = 0.4
"""Returned money over bought and returned money from which value is not worth acting on; all came back at one half."""
BALANCED = 0.1
"""Standard deviations between the means of both groups below which they count as alike."""
MOST_DRAWS = 10
_POWER = 1.959964 + 0.841621
"""Standard errors that a difference has to be apart to be seen in four of five tests at 5 % (two-sided)."""


@dataclass(frozen=True)
class Terms:
    """What a contact costs, what it is assumed to keep, and how much may be spent.

    Attributes
    ----------
    cost : money per contact
    response : share of the expected value loss that a contact is assumed to keep, 0..1
    budget : money; None = no limit
    max_contacts : None = no limit
    control_share : share of the list that is held out, 0 to below 1
    campaign : names the draw of the control group
    """

    cost: float
    response: float = DEFAULT_RESPONSE
    budget: float | None = None
    max_contacts: int | None = None
    control_share: float = DEFAULT_CONTROL_SHARE
    campaign: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant.

        Raises
        ------
        SettingsError
            Listing every value that is not possible.
        """
        faults = [
            f"cost {self.cost:g}: wanted money per contact, 0 or more" if not 0 <= self.cost < math.inf else "",
            f"response {self.response:g}: wanted a share above 0 and up to 1, such as 0.05: at 0 no contact is worth anything"
            if not 0 < self.response <= 1
            else "",
            self._budget_fault(),
            f"max-contacts {self.max_contacts}: wanted 1 or more"
            if self.max_contacts is not None and self.max_contacts < 1
            else "",
            f"control-share {self.control_share:g}: wanted 0 to below 1, such as 0.1; at 1 nobody would be contacted"
            if not 0 <= self.control_share < 1
            else "",
        ]
        if any(faults):
            raise SettingsError("Not possible: " + "; ".join(fault for fault in faults if fault) + ".")

    def _budget_fault(self) -> str:
        if self.budget is None:
            return ""
        if not 0 < self.budget < math.inf:
            return f"budget {self.budget:g}: wanted money above 0, or none for no limit; 0 pays for nobody"
        return f"budget {self.budget:g} pays for no contact at {self.cost:g} each" if 0 < self.budget < self.cost else ""

    @property
    def most_contacts(self) -> int | None:
        """Return how many contacts budget and limit allow; None = any number."""
        affordable = math.inf if self.budget is None or self.cost == 0 else self.budget / self.cost * (1 + 1e-12)
        paid = math.floor(affordable) if affordable < MORE_THAN_ANYBODY_HAS else None
        limits = [limit for limit in (paid, self.max_contacts) if limit is not None]
        return min(limits) if limits else None


@dataclass(frozen=True)
class Chosen:
    """A list of targets.

    Attributes
    ----------
    rows : int array, places of the listed customers among those given, highest expected gain first
    is_control : bool array, same shape
    gain : float array, same shape, money; for a held-out customer what a contact would have been expected to bring
    n_worthwhile : customers with an expected gain above zero, listed or not
    """

    rows: IntArray
    is_control: BoolArray
    gain: FloatArray
    n_worthwhile: int


def expected_gain(value_loss: npt.ArrayLike, terms: Terms) -> FloatArray:
    """Return what a contact is expected to bring, money: value loss x response - cost; NaN where the loss is unknown.

    Examples
    --------
    >>> expected_gain([100.0, 10.0], Terms(cost=2, response=0.1)).tolist()
    [8.0, -1.0]
    """
    return np.asarray(value_loss, dtype=np.float64) * terms.response - terms.cost


@dataclass(frozen=True)
class Reachable:
    """Customers who may be contacted, each once.

    Attributes
    ----------
    value_loss, value : float arrays, shape (n_customers,), money
    risk : float array, same shape, 0..1
    """

    ids: Sequence[str]
    value_loss: FloatArray
    value: FloatArray
    risk: FloatArray
    clv_bands: Sequence[str | None]
    churn_bands: Sequence[str | None]

    def at(self, rows: IntArray) -> Reachable:
        """Return the customers at these places."""
        places = rows.tolist()
        return Reachable(
            [self.ids[place] for place in places],
            self.value_loss[rows],
            self.value[rows],
            self.risk[rows],
            [self.clv_bands[place] for place in places],
            [self.churn_bands[place] for place in places],
        )


def choose(customers: Reachable, terms: Terms) -> Chosen:
    """Return who is listed, contact or control."""
    ids, value_loss = customers.ids, customers.value_loss
    gain = expected_gain(value_loss, terms)
    worthwhile = np.flatnonzero(gain > 0)
    names = np.asarray([ids[place] for place in worthwhile.tolist()], dtype=np.str_)
    order = worthwhile[np.lexsort((names, -gain[worthwhile]))] if len(worthwhile) else worthwhile
    rows = order[: _list_length(len(order), terms)]
    rows = rows.astype(np.int64)
    is_control = hold_out(customers.at(rows), terms.control_share, terms.campaign)
    return Chosen(rows, is_control, gain[rows], len(worthwhile))


def _list_length(n: int, terms: Terms) -> int:
    """Return how many customers to list so that those contacted stay within budget and limit."""
    most = terms.most_contacts
    if most is None:
        return n
    length = min(n, int((most + 1) / (1 - terms.control_share)) + 2)
    while length - n_control(length, terms.control_share) > most:
        length -= 1
    return length


def n_control(n: int, share: float) -> int:
    """Return how many of n listed customers are held out: the share, rounded; at least one is contacted."""
    return min(math.floor(n * share + 0.5), max(n - 1, 0))


def hold_out(listed: Reachable, share: float, campaign: str = "") -> BoolArray:
    """Return who is held out, bool array of shape (n_listed,); one of each block of alike customers, by digest.

    Examples
    --------
    >>> four = Reachable(["a", "b", "c", "d"], *np.array([[4.0, 3.0, 2.0, 1.0]] * 3), ["High"] * 4, ["Low"] * 4)
    >>> int(hold_out(four, 0.5).sum())
    2
    """
    n, held = len(listed.ids), n_control(len(listed.ids), share)
    is_control = np.zeros(n, dtype=np.bool_)
    if not held:
        return is_control
    digests = np.array([_digest(campaign, customer_id) for customer_id in listed.ids], dtype=np.uint64)
    order = np.lexsort((digests, -np.nan_to_num(listed.value_loss), _places(listed.churn_bands), _places(listed.clv_bands)))
    fewer = min(held, n - held)  # of each block one is drawn: for the smaller of both groups
    block = np.arange(n) * fewer // n
    best = math.inf
    for number in range(MOST_DRAWS):
        drawn = np.zeros(n, dtype=np.bool_)
        by_digest = np.lexsort((_mixed(digests[order], number), block))
        _, first = np.unique(block[by_digest], return_index=True)
        drawn[order[by_digest[first]]] = True
        apart = _apart(listed, drawn)
        if apart < best:
            best, is_control = apart, drawn
        if best < BALANCED:
            break
    return is_control if fewer == held else ~is_control


def _mixed(digests: npt.NDArray[np.uint64], number: int) -> npt.NDArray[np.uint64]:
    """Return other numbers that look drawn, from the same digests (the finishing steps of SplitMix64)."""
    mixed = digests + np.uint64((number * 0x9E3779B97F4A7C15) % 2**64)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)


def _apart(listed: Reachable, is_control: BoolArray) -> float:
    """Return the largest difference of both groups, standard deviations."""
    measures = (np.log1p(np.maximum(listed.value_loss, 0)), np.log1p(np.maximum(listed.value, 0)), listed.risk)
    found = [abs(balance_of("", values, is_control).difference) for values in measures]
    return max((value for value in found if not math.isnan(value)), default=0.0)


def _digest(campaign: str, customer_id: str) -> int:
    """Return a number that looks drawn and is the same every time."""
    return int.from_bytes(hashlib.sha256(f"{campaign}\0{customer_id}".encode()).digest()[:8], "big")


def _places(bands: Sequence[str | None]) -> IntArray:
    """Return bands as whole numbers, highest first, unknown last."""
    place = {name: number for number, name in enumerate(reversed(BANDS))}
    return np.array([place.get(band or "", len(BANDS)) for band in bands], dtype=np.int64)


@dataclass(frozen=True)
class Balance:
    """How alike contact and control are in one measure.

    Attributes
    ----------
    contact, control : means; NaN for an empty group
    difference : of the means in standard deviations of the list; below 0.1 counts as balanced
    """

    measure: str
    contact: float
    control: float
    difference: float


def balance_of(measure: str, values: FloatArray, is_control: BoolArray) -> Balance:
    """Return how alike both groups are in a measure; unknown values are left out.

    Examples
    --------
    >>> balance_of("risk", np.array([0.2, 0.4, 0.3]), np.array([False, False, True])).difference
    0.0
    """
    known = ~np.isnan(values)
    contact, control = values[known & ~is_control], values[known & is_control]
    if not len(contact) or not len(control):
        means = [float(part.mean()) if len(part) else math.nan for part in (contact, control)]
        return Balance(measure, means[0], means[1], math.nan)
    spread = float(values[known].std())
    apart = float(contact.mean() - control.mean())
    return Balance(measure, float(contact.mean()), float(control.mean()), round(apart / spread, 12) if spread > 0 else 0.0)


def smallest_visible_effect(rate: float, n_contact: int, n_control_: int) -> float:
    """Return the least rise of a rate that these groups show in four of five tests (5 % level, two-sided), as a share.

    Parameters
    ----------
    rate : expected without a contact, 0..1

    Source
    ------
    Normal approximation with equal variances: (z 0.975 + z 0.8) x sqrt(p (1 - p) (1 / n + 1 / m)).

    Examples
    --------
    >>> round(smallest_visible_effect(0.5, 1000, 1000), 3)
    0.063
    """
    if not n_contact or not n_control_ or math.isnan(rate):
        return math.nan
    return _POWER * math.sqrt(max(rate * (1 - rate), 0.0) * (1 / n_contact + 1 / n_control_))
