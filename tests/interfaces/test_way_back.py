"""Where somebody wanted to go is given back once, to the same browser, and not for ever."""

from __future__ import annotations

from customer_genome.interfaces.dashboard.way_back import KEPT_SECONDS, MOST_KEPT, MOST_LETTERS, WaysBack


def test_an_address_comes_back_once_and_to_its_browser_only():
    ways = WaysBack()
    ways.keep("ann", "customers", {"q": ["12"], "segment": ["a", "b"]}, 10.0)
    assert ways.take("vic", 11.0) is None
    assert ways.take("ann", 11.0) == ("customers", {"q": ["12"], "segment": ["a", "b"]})
    assert ways.take("ann", 11.0) is None


def test_what_is_old_long_or_of_nobody_is_not_kept():
    ways = WaysBack()
    ways.keep("ann", "value", {}, 0.0)
    assert ways.take("ann", KEPT_SECONDS + 1) is None
    ways.keep("ann", "value", {"q": ["x" * MOST_LETTERS]}, 0.0)
    ways.keep("", "value", {}, 0.0)
    assert ways.take("ann", 1.0) is None and ways.take("", 1.0) is None


def test_those_who_never_come_back_do_not_fill_the_memory():
    ways = WaysBack()
    for number in range(MOST_KEPT + 5):
        ways.keep(f"browser {number}", "value", {}, 0.0)
    assert ways.take("browser 4", 1.0) is None and ways.take("browser 5", 1.0) == ("value", {})
