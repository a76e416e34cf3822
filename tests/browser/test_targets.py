"""The page Value at risk in a real browser: a click on the map filters, the address restores it, the list built is the file."""

from __future__ import annotations

import csv
import re

import pytest

from published_shops import answer

pytestmark = pytest.mark.browser


def test_a_click_on_the_map_lists_its_customers_and_the_address_restores_it(shop, visit):
    workspace, address = shop
    visitor = visit(address)
    visitor.go("/targets")
    box = visitor.page.get_by_test_id("stVegaLiteChart").first.bounding_box()
    visitor.page.mouse.click(box["x"] + 0.55 * box["width"], box["y"] + 0.5 * box["height"])
    visitor.settle()
    assert "value_band=Medium" in visitor.page.url and "risk_band=Medium" in visitor.page.url
    n = answer(workspace, "select count(*) as n from customers where clv_band = 'Medium' and churn_band = 'Medium'")
    said = f"the {min(25, n)} customers with most at stake" if n else "Nobody has Medium value"
    assert said in visitor.page.inner_text("body")
    again = visit(address)
    again.go("/targets?value_band=Medium&risk_band=Medium")
    assert said in again.page.inner_text("body")


def test_the_list_that_is_built_is_the_file_that_comes(shop, visit):
    visitor = visit(shop[1])
    visitor.go("/targets")
    visitor.page.get_by_label(re.compile("^Cost per contact")).fill("0.1")
    visitor.page.get_by_text("Build the list", exact=True).click()
    visitor.settle()
    cards = visitor.cards()
    with visitor.page.expect_download() as waiting:
        visitor.page.get_by_text("Download the list (CSV)").click()
    with open(waiting.value.path(), newline="", encoding="utf-8") as file:
        groups = [row["group"] for row in csv.DictReader(file)]
    assert (f"{groups.count('contact'):,}", f"{groups.count('control'):,}") == (cards["Contacts"], cards["Control group"])
