"""How numbers are written for people: no false precision, always a unit.

Comes in: plain numbers. Goes out: short text. The command line, the report and the dashboard all write through here.
"""

from __future__ import annotations

import datetime as dt
import math

_SIGNS = {"GBP": "£", "EUR": "€", "USD": "$", "JPY": "¥", "INR": "₹"}


def money(value: float | None, currency: str = "", *, short: bool = False) -> str:
    """Return money with its sign or code; large amounts without pennies, `short` with k or M.

    Examples
    --------
    >>> money(8887208.89, "GBP")
    '£8,887,209'
    >>> money(8887208.89, "GBP", short=True)
    '£8.89M'
    >>> money(12.5, "CHF")
    'CHF 12.50'
    >>> money(0.0, "EUR")
    '€0'
    >>> money(None)
    '–'
    """
    if value is None or not math.isfinite(value):
        return "–"
    sign = _SIGNS.get(currency.upper(), f"{currency} " if currency else "")
    minus = "-" if value < 0 else ""
    size = abs(value)
    if short and size >= 999_500:
        text = f"{size / 1e6:.2f}M" if size < 1e7 else f"{size / 1e6:,.1f}M"
    elif short and size >= 10_000:
        text = f"{size / 1e3:,.0f}k"
    else:
        text = "0" if size == 0 else f"{size:,.0f}" if size >= 1000 else f"{size:,.2f}"
    return f"{minus}{sign}{text}"


def count(value: float | None) -> str:
    """Return a whole count with separators.

    Examples
    --------
    >>> count(18532)
    '18,532'
    """
    return "–" if value is None or not math.isfinite(value) else f"{value:,.0f}"


def share(value: float | None) -> str:
    """Return a share as percent: whole points, one decimal below 10 %, never 0 % or 100 % when it is not.

    Examples
    --------
    >>> share(0.4256), share(0.034), share(0.0002), share(0.9999)
    ('43 %', '3.4 %', '< 0.1 %', '> 99 %')
    """
    if value is None or not math.isfinite(value):
        return "–"
    percent = 100 * value
    if 0 < percent < 0.1:
        return "< 0.1 %"
    if 99.5 <= percent < 100:
        return "> 99 %"
    return f"{percent:.1f} %" if 0 < percent < 9.95 else f"{percent:.0f} %"


def quantity(value: float | None, unit: str) -> str:
    """Return a small expected number with its unit; singular where it is one.

    Examples
    --------
    >>> quantity(2.345, "orders"), quantity(1, "days"), quantity(143, "days")
    ('2.3 orders', '1 day', '143 days')
    """
    if value is None or not math.isfinite(value):
        return "–"
    if float(value).is_integer() or abs(value) >= 100:
        text = f"{value:,.0f}"
    else:
        text = f"{value:.1f}" if abs(value) >= 0.1 else f"{value:.2f}"
    return f"{text} {unit[:-1] if text == '1' and unit.endswith('s') else unit}"


def day(value: dt.date | dt.datetime | None) -> str:
    """Return a day as 9 Dec 2011.

    Examples
    --------
    >>> day(dt.date(2011, 12, 9))
    '9 Dec 2011'
    """
    return "–" if value is None else f"{value.day} {value:%b %Y}"


def estimate(value: float | None, currency: str = "") -> str:
    """Return expected money only as finely as a model can know it: no pennies from 10 up, thousands and millions short.

    Examples
    --------
    >>> estimate(740.96, "GBP"), estimate(4.2, "GBP"), estimate(12_345, "GBP"), estimate(4305.2), estimate(0)
    ('£741', '£4.20', '£12k', '4,305', '0')
    """
    if value is not None and math.isfinite(value) and not 0.005 <= abs(value) < 9.995 and abs(value) < 1000:
        return money(round(value), currency).removesuffix(".00")
    return money(value, currency, short=True)


def span(first: dt.date | None, last: dt.date | None) -> str:
    """Return between which days something falls, in words.

    Examples
    --------
    >>> span(dt.date(2012, 1, 3), dt.date(2012, 4, 9)), span(dt.date(2012, 1, 3), None), span(None, None)
    ('between 3 Jan 2012 and 9 Apr 2012', 'not before 3 Jan 2012, perhaps never', 'perhaps never')
    """
    if first is None:
        return "perhaps never"
    return f"not before {day(first)}, perhaps never" if last is None else f"between {day(first)} and {day(last)}"
