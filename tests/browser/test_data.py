"""The page Data in a browser: a file with odd headers becomes a version, a broken one says why, a run can be cancelled."""

from __future__ import annotations

import datetime as dt
import random
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from published_shops import answer

pytestmark = pytest.mark.browser

RUN_MS, PATIENCE_MS = 240_000, 60_000
MAPPING = {"ordered at": "Gebucht am", "order id": "Beleg", "quantity": "Stk", "price": "EUR"}


def odd_file(path: Path, customers: int = 40) -> Path:
    """Write a small shop in a dialect of its own: German headers, semicolons, day first, decimal commas, two faulty lines."""
    chance = random.Random(3)
    rows = ["Kunde;Gebucht am;Beleg;Artikel;Stk;EUR"]
    for customer in range(customers):
        when = dt.date(2023, 1, 1) + dt.timedelta(days=chance.randint(0, 200))
        for order in range(chance.randint(1, 5)):
            when += dt.timedelta(days=chance.randint(5, 60))
            rows.append(
                f"K{customer:03};{when:%d.%m.%Y};R{customer}-{order};A{chance.randint(1, 9)};{chance.randint(1, 4)};{chance.randint(2, 30)},50"
            )
    rows += [";01.02.2023;X1;A1;1;3,00", "K001;kaputt;X2;A1;1;3,00"]
    path.write_text("\n".join(rows) + "\n", "utf-8")
    return path


def hand_in(visitor, path: Path) -> None:
    """Hand in a file and wait for the form, or for what is wrong with it."""
    visitor.page.locator("input[type=file]").set_input_files(str(path))
    visitor.page.get_by_role("button", name="Remove this file").wait_for()
    visitor.settle()


def choose(visitor, label: str, header: str) -> None:
    """Choose a column of the file for a column of the product."""
    visitor.page.get_by_role("combobox", name=label).first.click()
    visitor.page.get_by_role("option").filter(has_text=header).first.click()
    visitor.settle()


def test_a_file_with_odd_headers_becomes_a_version_and_a_run_can_be_cancelled(visit, begun, tmp_path):
    workspace, address = begun
    visitor = visit(address)
    visitor.go("/data")
    page = visitor.page
    hand_in(visitor, odd_file(tmp_path / "Odd Headers.csv"))
    expect(page.get_by_text("Still needed: ordered at, price or amount")).to_be_visible(timeout=PATIENCE_MS)
    for label, header in MAPPING.items():
        choose(visitor, label, header)
    page.get_by_role("button", name="Show what would be kept").click()
    page.get_by_role("heading", name="What would be kept").wait_for()
    visitor.settle()
    before = visitor.cards()
    assert before["Customers"] == "40"
    page.get_by_role("button", name="Run with this file").click()
    expect(page.get_by_role("progressbar").or_(page.get_by_text("was published")).first).to_be_visible(timeout=PATIENCE_MS)
    other = visit(address, 390, "dark")
    other.page.goto(address + "/data")
    seen = other.page.get_by_role("progressbar").or_(other.page.get_by_text("was published")).first
    expect(seen).to_be_visible(timeout=PATIENCE_MS)  # another visitor sees the same run
    page.get_by_text("v00001 was published").wait_for(timeout=RUN_MS)
    visitor.settle()
    assert str(answer(workspace, "select count(*) as n from customers")) == before["Customers"]
    assert page.get_by_text(re.compile("The classes add up to all")).count() == 1
    assert [folder.name for folder in (workspace / "uploads").iterdir() if folder.is_dir()], "another run may need the file"

    visitor.go("/data?part=New+file")
    hand_in(visitor, odd_file(tmp_path / "second.csv", 50))
    for label, header in MAPPING.items():
        choose(visitor, label, header)
    page.get_by_role("button", name="Show what would be kept").click()
    page.get_by_role("button", name="Run with this file").click()
    page.get_by_role("button", name="Cancel the run").click()
    expect(page.get_by_text(re.compile(r"second\.csv was cancelled.*v00001 stays current"))).to_be_visible(timeout=PATIENCE_MS)
    assert (workspace / "published" / "CURRENT").read_text().strip() == "v00001"
    page.get_by_role("button", name="Close this note").click()
    visitor.settle()
    page.get_by_role("button", name="Remove this file").click()
    visitor.settle()
    assert page.locator("input[type=file]").count() == 1
    assert len([folder for folder in (workspace / "uploads").iterdir() if folder.is_dir()]) == 1


def test_a_broken_file_says_why_in_its_place(visit, nothing, tmp_path):
    _, address = nothing
    visitor = visit(address)
    visitor.go("/data")
    (tmp_path / "broken.xlsx").write_bytes(b"PK\x03\x04 cut off")
    visitor.page.locator("input[type=file]").set_input_files(str(tmp_path / "broken.xlsx"))
    expect(visitor.page.get_by_text(re.compile("is damaged or cut off"))).to_be_visible(timeout=PATIENCE_MS)
    (tmp_path / "words.csv").write_text("one,two\nx,y\n")
    visitor.go("/data")
    hand_in(visitor, tmp_path / "words.csv")
    visitor.page.get_by_role("button", name="Show what would be kept").click()
    expect(visitor.page.get_by_text("A run would stop here.")).to_be_visible(timeout=PATIENCE_MS)
    expect(visitor.page.get_by_text(re.compile("order_lines has no money"))).to_be_visible(timeout=PATIENCE_MS)
    assert visitor.page.get_by_role("button", name="Run with this file").count() == 0
    visitor.page.get_by_role("button", name="Remove this file").click()
    visitor.settle()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_every_part_is_whole(visit, shop, width, scheme):
    _, address = shop
    visitor = visit(address, width, scheme)
    for part in ("Rows", "Coverage", "Versions", "New+file"):
        visitor.go(f"/data?part={part}")
        assert visitor.page.get_by_test_id("stException").count() == 0
        wide = visitor.page.evaluate("() => document.querySelector('[data-testid=stMain]').scrollWidth")
        assert wide <= visitor.page.get_by_test_id("stMain").evaluate("main => main.clientWidth"), f"{part} scrolls sideways"
