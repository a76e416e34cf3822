"""What the classes of input rows mean, in words: of order lines, of tables of customers, and of ratings."""

from __future__ import annotations

from collections.abc import Mapping

CLASS_WORDS: Mapping[str, str] = {
    "kept": "purchases that count",
    "duplicate": "equal to an earlier line of the same order",
    "cancelled": "cancellations and returns",
    "refunded": "purchases wholly taken back later",
    "no_customer": "no customer named",
    "bad_date": "date missing, unreadable or impossible",
    "bad_quantity": "quantity missing, unreadable or not above 0",
    "bad_price": "price missing, unreadable or not above 0",
    "not_merchandise": "postage, fees and other non-goods",
    "unreadable": "not a row of this file",
    "forgotten": "erased customers",
}
"""What the classes of order lines mean."""
TOTALS_WORDS: Mapping[str, str] = {
    "kept": "customers that count",
    "duplicate": "equal to an earlier row throughout",
    "no_customer": "no customer named",
    "bad_number": "a number that cannot be read",
    "negative": "a total below 0",
    "no_totals": "two of orders, spend and order value are missing",
    "no_orders": "no order so far",
    "unreadable": "not a row of this file",
    "forgotten": "erased customers",
}
"""What the classes of rows mean in a table of customers."""
RATINGS_WORDS: Mapping[str, str] = {
    "kept": "ratings that count",
    "duplicate": "equal to an earlier row of the same customer, time and item",
    "no_customer": "no customer named",
    "bad_date": "time missing, unreadable or in the future",
    "bad_rating": "rating missing or unreadable",
    "not_merchandise": "left out by your rules",
    "unreadable": "not a row of this file",
    "forgotten": "erased customers",
}
"""What the classes of rows mean where ratings were read."""
