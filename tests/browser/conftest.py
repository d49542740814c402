"""A real browser for the pages: the machine's own Chromium, and axe-core for what a screen reader meets."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

HERE = Path(__file__).parent
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium without a window; an error, never a skip, where there is none."""
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if found is None:
        pytest.fail("no Chromium on PATH: `make browser` as root on Debian, or `apt-get install chromium`")
    with sync_playwright() as playwright:
        # Its own sandbox needs privileges that containers lack; only our own pages are opened.
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The script that looks for what keeps people from reading a page."""
    if not AXE.is_file():
        pytest.fail("no axe-core: `make browser`, or `npm ci --prefix tests/browser` (on Debian: npm)")
    return AXE.read_text(encoding="utf-8")
