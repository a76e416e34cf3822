"""The report in a real browser without a network: nothing is asked for, nothing overflows, in light, dark and on paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from customer_genome.genome import Genome
from customer_genome.interfaces.report.page import write_report
from published_shops import hostile_customers, publish_rows, publish_simulated

pytestmark = pytest.mark.browser

OUTSIDE = """() => [...document.querySelectorAll('figure')].flatMap(figure => {
    const room = figure.getBoundingClientRect();
    return [...figure.querySelectorAll('svg text')].filter(text => {
        const box = text.getBoundingClientRect();
        return box.width && (box.left < room.left || box.right > room.right);
    }).map(text => figure.id + ': ' + text.textContent);
})"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The reports of a simulated shop and of one whose texts try to be something else."""
    folder = tmp_path_factory.mktemp("pages")
    publish_simulated(folder / "shop")
    publish_rows(folder / "hostile", hostile_customers())
    for name in ("shop", "hostile"):
        with Genome.open(folder / name) as genome:
            write_report(genome, folder / f"{name}.html")
    return {name: folder / f"{name}.html" for name in ("shop", "hostile")}


@pytest.mark.parametrize(
    ("width", "scheme", "media"),
    [
        (1440, "light", "screen"),
        (1440, "dark", "screen"),
        (820, "light", "screen"),
        (390, "dark", "screen"),
        (690, "dark", "print"),
    ],
)
@pytest.mark.parametrize("name", ["shop", "hostile"])
def test_it_stands_alone_and_fits(
    chromium: Browser, pages: dict[str, Path], name: str, width: int, scheme: str, media: str
) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 900}, offline=True)
    page, asked, faults = context.new_page(), [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: faults.append(message.text))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    page.emulate_media(media=media, color_scheme=scheme)
    page.goto(pages[name].as_uri())
    assert asked == [pages[name].as_uri()] and faults == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(OUTSIDE) == []
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (
        ground == {"dark": "rgb(14, 19, 24)", "light": "rgb(244, 246, 248)"}[scheme]
        if media == "screen"
        else ground == "rgb(255, 255, 255)"
    )
    context.close()
