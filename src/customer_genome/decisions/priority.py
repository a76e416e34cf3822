"""What is at stake with each customer: bands of value and risk, the money that may be lost, and who comes first.

Comes in: expected value and churn probability per customer, as NumPy arrays, and cut points as values. Goes out: text bands
as Arrow arrays, money as NumPy arrays, and the heat map of value by risk. This module must not read files or settings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from customer_genome.decisions.customers import FloatArray
from customer_genome.errors import SettingsError

BANDS: tuple[str, str, str] = ("Low", "Medium", "High")
CLV_PERCENTS: tuple[float, float] = (50.0, 80.0)
"""High = the fifth of customers with the highest value, Medium = the next 30 %, Low = the lower half. Value is very
uneven: a band of a third would hold mostly customers worth little beside the best; a band of a share of the money could
hold one giant alone."""
CHURN_CUTS: tuple[float, float] = (0.4, 0.7)
"""Risk is a calibrated probability and means the same in every shop and every month, so its bands are fixed numbers: cut
by rank, a shop that loses nobody would still show a third of its customers in red. Low is below 40 %: rather likely to
come back; High from 70 %: a return would be the exception."""


def clv_band(clv: npt.ArrayLike, cuts: Sequence[float]) -> pa.StringArray:
    """Return Low up to the first cut, High above the second, Medium between; null where the value is unknown.

    Examples
    --------
    >>> clv_band([1.0, 5.0, 9.0], (2.0, 6.0)).to_pylist()
    ['Low', 'Medium', 'High']
    """
    values = np.asarray(clv, dtype=np.float64)
    return _named(np.searchsorted(np.asarray(_rising(cuts, "CLV bands")), values, side="left"), np.isnan(values))


def churn_band(churn_probability: npt.ArrayLike, cuts: Sequence[float] = CHURN_CUTS) -> pa.StringArray:
    """Return Low below the first cut, High from the second on, Medium between; null where the risk is unknown.

    Parameters
    ----------
    churn_probability : float array, shape (n_customers,), 0..1

    Examples
    --------
    >>> churn_band([0.1, 0.4, 0.7]).to_pylist()
    ['Low', 'Medium', 'High']
    """
    risk = np.asarray(churn_probability, dtype=np.float64)
    return _named(np.searchsorted(np.asarray(_rising(cuts, "churn bands")), risk, side="right"), np.isnan(risk))


def _rising(cuts: Sequence[float], what: str) -> tuple[float, float]:
    """Return two cut points, or say why they are none."""
    if len(cuts) != 2 or not cuts[0] <= cuts[1]:
        raise SettingsError(
            f"{what}: got {list(cuts)}. Wanted: two rising numbers, such as {list(CHURN_CUTS)} for risk. Correct [segments] in genome.toml."
        )
    return (float(cuts[0]), float(cuts[1]))


def _named(codes: npt.NDArray[np.intp], unknown: npt.NDArray[np.bool_]) -> pa.StringArray:
    return pa.array(BANDS).take(pa.array(codes.astype(np.int32), mask=unknown))


def confidence_score(churn_probability: npt.ArrayLike) -> FloatArray:
    """Return 1 - churn probability, 0..1: the chance to see the customer again. It is no measure of accuracy."""
    return 1.0 - np.asarray(churn_probability, dtype=np.float64)


def expected_value_loss(clv: npt.ArrayLike, churn_probability: npt.ArrayLike) -> FloatArray:
    """Return value times risk, money: what is at stake with a customer.

    It ranks customers for retention work. It is no forecast of lost revenue: the value already counts the chance that
    nothing more is bought.
    """
    return np.asarray(clv, dtype=np.float64) * np.asarray(churn_probability, dtype=np.float64)


def priority_segment(clv_bands: pa.Array | pa.ChunkedArray, churn_bands: pa.Array | pa.ChunkedArray) -> pa.StringArray:
    """Return both bands as one readable text; null bands read "Unknown".

    Examples
    --------
    >>> priority_segment(pa.array(["High", None]), pa.array(["Low", "High"])).to_pylist()
    ['High value / Low risk', 'Unknown value / High risk']
    """
    value, risk = (pc.fill_null(_texts(band), "Unknown") for band in (clv_bands, churn_bands))
    n = len(value)
    return pc.binary_join_element_wise(value, pa.repeat(" value / ", n), risk, pa.repeat(" risk", n), "")


@dataclass(frozen=True)
class HeatCell:
    """One cell of value by risk: customers, their expected value, and the part of it at stake (money)."""

    clv_band: str
    churn_band: str
    n_customers: int
    share_of_customers: float
    clv: float
    expected_value_loss: float


def heat_map(found: Mapping[tuple[str, str], tuple[int, float, float]], n_customers: int) -> tuple[HeatCell, ...]:
    """Return the nine cells, High value first and High risk first; cells without customers are there with zeros.

    Parameters
    ----------
    found : mapping
        (value band, risk band) -> customers, their expected value, and the part of it at stake. Customers with an unknown
        band are in no cell.
    n_customers : int
        All customers, those in no cell too.

    Examples
    --------
    >>> heat_map({("High", "Low"): (2, 100.0, 5.0)}, 4)[2]
    HeatCell(clv_band='High', churn_band='Low', n_customers=2, share_of_customers=0.5, clv=100.0, expected_value_loss=5.0)
    """
    cells = []
    for value in reversed(BANDS):
        for risk in reversed(BANDS):
            count, clv, loss = found.get((value, risk), (0, 0.0, 0.0))
            cells.append(HeatCell(value, risk, count, count / n_customers if n_customers else 0.0, clv, loss))
    return tuple(cells)


def _texts(bands: pa.Array | pa.ChunkedArray) -> pa.StringArray:
    """Return bands as one array of text."""
    return pc.cast(bands.combine_chunks() if isinstance(bands, pa.ChunkedArray) else bands, pa.string())
