"""The report: one page that holds everything, lets nothing out and nothing in, and says what was published."""

from __future__ import annotations

import datetime as dt
import html
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from customer_genome import Genome, run, simulate
from customer_genome.errors import WorkspaceError
from customer_genome.interfaces.report.page import render_report, write_report
from customer_genome.interfaces.views import figures

SCRIPT = "<script>alert('product')</script>"
PICTURE = '"><img src=https://example.org/x.png onerror=alert(1)>'
VOID = {"meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """What stands in a page: elements with attributes, text, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def page_of(workspace: Path) -> Page:
    """The report of a workspace, taken apart."""
    with Genome.open(workspace) as genome:
        return Page(render_report(genome))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated shop, published, with a currency."""
    folder = tmp_path_factory.mktemp("report")
    run(
        simulate(n_lines=6_000, seed=11).order_lines().read_all(),
        folder,
        settings={"shop": {"currency": "GBP", "name": "Corner & Shop"}},
    )
    return folder


@pytest.fixture(scope="module")
def text(workspace: Path) -> str:
    """The report as it is written."""
    with Genome.open(workspace) as genome:
        return render_report(genome)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    """The report, taken apart."""
    return Page(text)


def hostile_lines() -> pa.Table:
    """Order lines whose every text tries to leave its place."""
    rows = [
        (f"{SCRIPT}{customer}", f"{PICTURE}{customer}{visit}", dt.datetime(2024, 1 + visit, 1 + customer), f"P{customer}", f"{SCRIPT} lamp {customer}", 1 + visit, 9.5, country)
        for customer in range(12)
        for visit in range(1 + customer % 4)
        for country in (PICTURE if customer % 2 else SCRIPT,)
    ]  # fmt: skip
    names = ("CustomerID", "InvoiceNo", "InvoiceDate", "StockCode", "Description", "Quantity", "UnitPrice", "Country")
    return pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)})


def test_every_element_is_closed_and_every_id_is_there_once(page):
    assert page.wrong == [] and page.open == []
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in page.elements:
        for name in ("aria-labelledby",):
            assert attributes.get(name) is None or attributes[name] in ids
        if (attributes.get("href") or "").startswith("#"):
            assert attributes["href"][1:] in ids


def test_nothing_leaves_and_nothing_runs(page):
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "iframe", "object", "embed", "link", "img", "form", "base"}
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            assert (attributes.get(name) or "#").startswith("#"), (tag, attributes)
    policy = next(
        attributes["content"] for tag, attributes in page.elements if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'")


def test_styles_and_drawings_fetch_nothing(text):
    assert "@import" not in text and "@font-face" not in text
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))
    assert not [address for address in re.findall(r"https?://[^\s\"'<]+", text) if "www.w3.org" not in address]


def test_texts_of_the_data_are_shown_not_run(tmp_path):
    run(hostile_lines(), tmp_path)
    page = page_of(tmp_path)
    assert {"script", "img"} & {tag for tag, _ in page.elements} == set()
    assert not [attributes for _, attributes in page.elements if "onerror" in attributes]
    assert f"{SCRIPT} lamp" in page.text, "product names are written out"
    assert f"{SCRIPT}" in page.text and page.wrong == []


def test_every_figure_of_the_first_screen_is_what_was_published(workspace, page):
    with Genome.open(workspace) as genome:
        customers, manifest = genome.table("customers").to_pylist(), genome.manifest
    assert f"Customers {len(customers):,} " in page.text
    revenue = sum(row["total_spend"] for row in customers)
    assert f"Revenue {figures.money(revenue, 'GBP', short=True)} " in page.text
    assert f"Orders {manifest['orders']:,} " in page.text
    assert f"Average spend per customer {figures.money(revenue / len(customers), 'GBP')} " in page.text
    assert f"Customer value {figures.estimate(sum(row['clv_180d'] for row in customers), 'GBP')} " in page.text
    assert f"Value at risk {figures.estimate(sum(row['expected_value_loss'] for row in customers), 'GBP')} " in page.text
    assert f"{len({row['segment_name'] for row in customers})} segments" in page.text
    assert "Corner & Shop" in page.text and manifest["product_version"] in page.text


def test_the_ledger_adds_up_to_the_input(workspace, page):
    with Genome.open(workspace) as genome:
        ledger = genome.manifest["ledger"]
    rows = sum(entry["rows"] for entry in ledger.values())
    assert f"The ledger adds up to {rows:,} rows" in page.text
    assert all(name in page.text for name in ledger)


def test_findings_segments_and_playbooks_are_all_there(workspace, page):
    with Genome.open(workspace) as genome:
        wanted = [row["sentence"] for row in genome.table("findings").to_pylist()]
        wanted += [row["strategy"] for row in genome.table("segments").to_pylist()]
        wanted += [row["who"] for row in genome.table("playbooks").to_pylist()]
        wanted += [*genome.manifest["fit"], *genome.manifest["notices"]]
    for sentence in wanted:
        assert re.sub(r"\s+", " ", sentence) in page.text


def test_every_drawing_has_words_and_a_table(text):
    drawings = re.findall(r'<figure id="([^"]+)".*?</figure>', text, re.DOTALL)
    assert len(drawings) >= 12 and "value_at_risk" in drawings and "row_ledger" in drawings
    for figure in re.findall(r"<figure .*?</figure>", text, re.DOTALL):
        said = re.search(r'role="img" aria-label="([^"]+)"', figure)
        assert said and len(said.group(1)) > 30
        assert "<table>" in figure and figure.count("<svg") == 2
        assert "NaN" not in figure and "None" not in html.unescape(re.sub(r"<svg.*?</svg>", "", figure, flags=re.DOTALL))


def test_headings_go_down_one_level_at_a_time(page):
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(later - sooner <= 1 for sooner, later in pairwise(levels))


def test_both_colour_schemes_and_paper_are_styled(text):
    named = set(re.findall(r"var\(--([a-z0-9-]+)\)", text))
    light = text[text.index(":root") : text.index("prefers-color-scheme")]
    dark = text[text.index("prefers-color-scheme") : text.index("box-sizing")]
    for scheme in (light, dark):
        assert named <= set(re.findall(r"--([a-z0-9-]+):", scheme))
    assert "@media print" in text


ONE_LINE = {"customer": ["only"], "date": [dt.datetime(2024, 3, 1, 9)], "amount": [12.5]}
TWO_ORDERS = {"customer": ["only", "only"], "date": [dt.datetime(2024, 3, 1), dt.datetime(2024, 5, 1)], "amount": [12.5, 7.0]}
MANY_ALIKE = {"customer": [f"c{place}" for place in range(30)], "date": [dt.datetime(2024, 3, 1)] * 30, "amount": [5.0] * 30}


@pytest.mark.parametrize("lines", [ONE_LINE, TWO_ORDERS, MANY_ALIKE], ids=["one order", "one customer", "all alike"])
def test_the_smallest_shops_get_a_page_without_holes(tmp_path, lines):
    run(pa.table(lines), tmp_path)
    page = page_of(tmp_path)
    assert page.wrong == [] and page.open == []
    assert not re.search(r"\b(nan|None|inf|undefined)\b", page.text)
    assert "revenue_by_country" not in {attributes.get("id") for _, attributes in page.elements}, "no country was given"
    assert "shown without a sign" in page.text
    assert (
        re.findall(
            r"(?<![\d.,])1 (?:customers|orders|days|lines|rows|segments|countries)\b.{20}",
            page.text.partition("How the models were fitted")[0],
        )
        == []
    )


def test_the_page_is_written_whole_or_not_at_all(workspace, tmp_path, monkeypatch):
    target = tmp_path / "new folder" / "report.html"
    with Genome.open(workspace) as genome:
        write_report(genome, target)
        first = target.read_text("utf-8")
        assert first.rstrip().endswith("</html>") and [path.name for path in target.parent.iterdir()] == ["report.html"]

        def full(source: object, destination: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.replace", full)
        with pytest.raises(WorkspaceError, match=r"report\.html.*No space left on device"):
            write_report(genome, target)
    assert target.read_text("utf-8") == first


def test_the_same_version_gives_the_same_page(workspace, text):
    with Genome.open(workspace) as genome:
        assert render_report(genome) == text
