"""Take a picture of every page of the dashboard: 1440 wide in light and in dark, and as on a phone.

Serves a published workspace as `genome dashboard` does, and writes `<page>-<light|dark|phone>.png` into a folder. Pages come from the
navigation, so that a new one is in the pictures from its first day. `--for-docs` also writes the few, smaller ones of docs/dashboard.md.

    python tools/screenshots.py --workspace genome-workspace --folder screenshots
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

from customer_genome.genome import Genome
from customer_genome.interfaces.serving.server import APP, served

ROOT = Path(__file__).resolve().parent.parent
PAGES = list(dict.fromkeys(["overview", *re.findall(r'url_path="(\w+)"', APP.read_text("utf-8"))]))
WAYS: tuple[tuple[str, int, int, Any], ...] = (
    ("light", 1440, 900, "light"),
    ("dark", 1440, 900, "dark"),
    ("phone", 390, 844, "light"),
)
FOR_DOCS = {
    "overview.png": ("overview", "light"),
    "overview-phone.png": ("overview", "phone"),
    "customer.png": ("customer", "light"),
    "segments.png": ("segments", "light"),
    "targets.png": ("targets", "dark"),
    "quality.png": ("quality", "light"),
}
DOCS_HEIGHT, PHONE_HEIGHT, COLOURS = 1500, 1700, 128
STILL = """() => document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'
    && !document.querySelector('[data-stale=true], [data-testid=stSkeleton]')"""
WHOLE = """() => Math.ceil(Math.max(window.innerHeight, document.querySelector('[data-testid=stMain]').scrollHeight
    + document.querySelector('[data-testid=stMain]').getBoundingClientRect().top))"""


def settle(page: Any) -> None:
    """Wait until the page is drawn and stands still."""
    page.wait_for_selector("h1")
    page.wait_for_timeout(500)
    page.wait_for_function(STILL, timeout=90_000)
    page.wait_for_timeout(900)


def take(browser: Any, address: str, name: str, customer: str, folder: Path) -> None:
    """Write the pictures of one page, from its head to its foot."""
    query = f"?customer={quote(customer)}" if name == "customer" else ""
    for way, width, height, scheme in WAYS:
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        page = context.new_page()
        page.goto(f"{address}/{'' if name == 'overview' else name}{query}")
        settle(page)
        page.set_viewport_size({"width": width, "height": min(int(page.evaluate(WHOLE)), 12_000)})
        settle(page)
        page.screenshot(path=folder / f"{name}-{way}.png")
        context.close()


def shrink(source: Path, target: Path, height: int) -> None:
    """Write the upper part of a picture in few colours: a document shows how a page looks, and loads at once.

    Colours are chosen by how far they lie apart, not by how much of the page they cover: the few orange marks stay orange.
    """
    from PIL import Image

    with Image.open(source) as picture:
        part = picture.convert("RGB").crop((0, 0, picture.width, min(height, picture.height)))
        held = io.BytesIO()
        part.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE).save(held, "PNG", optimize=True)
    target.write_bytes(held.getvalue())


def main() -> None:
    """Serve, take the pictures, say where they are."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--folder", type=Path, default=ROOT / "screenshots")
    parser.add_argument("--pages", nargs="*", default=PAGES, choices=PAGES)
    parser.add_argument("--for-docs", action="store_true", help="also write those of docs/images")
    given = parser.parse_args()
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with Genome.open(given.workspace) as genome:
        rows = genome.query("select customer_id from customers order by total_spend desc nulls last, 1 limit 1")
    given.folder.mkdir(parents=True, exist_ok=True)
    with served(given.workspace) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--headless", "--no-sandbox", "--disable-gpu"])
        for name in given.pages:
            take(browser, server.shown, name, str(rows[0][0].as_py()), given.folder)
            print(f"{name}: {', '.join(way for way, *_ in WAYS)}", flush=True)
        browser.close()
    if given.for_docs:
        images = ROOT / "docs" / "images"
        for file, (name, way) in FOR_DOCS.items():
            if name in given.pages:
                shrink(given.folder / f"{name}-{way}.png", images / file, PHONE_HEIGHT if way == "phone" else DOCS_HEIGHT)
    print(f"Pictures are in {given.folder}")


if __name__ == "__main__":
    main()
