"""The pages in a real browser: narrow and wide, light and dark, on paper, by keyboard and without scripts."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page
from tests.browser.looks import FOCUSED, FOLD, HIDES, OUTLINED, OVERLAPS, REACHABLE, SPILLS
from tests.golden.make_run import make_run
from tests.unit.made_nights import make_nights

from sealegs.judge import judge
from sealegs.nightly import page as night
from sealegs.nightly.history import NIGHTS
from sealegs.report import render

pytestmark = pytest.mark.browser

RUNS = ("pass", "fail-truncated", "killed", "invalid-baseline")
NIGHT, NIGHT_LIST = "night", "nights"
PAGES = (*RUNS, NIGHT, NIGHT_LIST)
WIDTHS = (375, 1440)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SERIOUS = ("serious", "critical")
PAPER_PX = 718  # A4 less the margins that browsers leave, at 96 pixels an inch
TABS_MAX = 200


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A page as it was opened: what the browser asked for, and what it had to say."""

    page: Page
    address: str
    asked_for: list[str]
    said: list[str]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page of each made-up run, of a made-up night, and the list of nights."""
    root = tmp_path_factory.mktemp("runs")
    drawn = {}
    for case in RUNS:
        run_dir = make_run(root, case=case)
        judge(run_dir)
        drawn[case] = render(run_dir)
    make_nights(root, count=20, scenarios=3)
    return drawn | {NIGHT: night.render(root), NIGHT_LIST: root / NIGHTS / night.PAGE}


def opened(browser: Browser, path: Path, *, width: int, scheme: Literal["light", "dark"]) -> Iterator[Visit]:
    """A page, opened and laid out."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    page = context.new_page()
    asked_for: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked_for.append(request.url))
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(path.as_uri())
    yield Visit(page=page, address=path.as_uri(), asked_for=asked_for, said=said)
    context.close()


@contextmanager
def unfolded(page: Page) -> Iterator[None]:
    """All folds of a page open, for a while."""
    page.evaluate(FOLD, True)  # noqa: FBT003  the script's own argument
    yield
    page.evaluate(FOLD, False)  # noqa: FBT003


@pytest.fixture(
    scope="module", params=itertools.product(PAGES, WIDTHS, SCHEMES), ids=lambda one: "-".join(map(str, one))
)
def visit(request: pytest.FixtureRequest, browser: Browser, pages: dict[str, Path]) -> Iterator[Visit]:
    """Each page at each width in each scheme."""
    case, width, scheme = request.param
    yield from opened(browser, pages[case], width=width, scheme=scheme)


@pytest.fixture(params=PAGES)
def wide(request: pytest.FixtureRequest, browser: Browser, pages: dict[str, Path]) -> Iterator[Visit]:
    """Each page once, on a desk."""
    yield from opened(browser, pages[request.param], width=1440, scheme="light")


def test_a_page_asks_for_nothing_and_nothing_goes_wrong(visit: Visit) -> None:
    """The browser reads the one file, and has no message about it; pictures are in the file itself."""
    asked_for = [one for one in visit.asked_for if not one.startswith("data:")]

    assert asked_for == [visit.address]
    assert visit.said == []


def test_nothing_stands_over_anything_else(visit: Visit) -> None:
    """No piece of text overlaps another, in tables, in panels or between them, with all folds open too."""
    assert visit.page.evaluate(OVERLAPS) == []
    with unfolded(visit.page):
        assert visit.page.evaluate(OVERLAPS) == []


def test_a_page_does_not_scroll_sideways(visit: Visit) -> None:
    """What is wider than the window scrolls in a region of its own."""
    widths = visit.page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )

    assert widths[0] <= widths[1]


def test_axe_finds_nothing_serious(visit: Visit, axe: str) -> None:
    """Names, roles, headings, contrast: no finding of serious or critical impact, with all folds open."""
    with unfolded(visit.page):
        visit.page.evaluate(axe)
        found = visit.page.evaluate("async () => (await axe.run()).violations")

    assert [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in SERIOUS] == []


def test_paper_holds_the_whole_page(wide: Visit) -> None:
    """Printed, nothing stands out of the sheet or stays in a region that a reader cannot scroll."""
    wide.page.emulate_media(media="print")
    wide.page.set_viewport_size({"width": PAPER_PX, "height": 1000})

    assert wide.page.evaluate(SPILLS) == []
    assert wide.page.evaluate(HIDES) == []
    assert wide.page.pdf(format="A4").startswith(b"%PDF-")


def test_a_keyboard_reaches_everything(wide: Visit) -> None:
    """Every link, fold and region that scrolls gets the focus in turn, and shows that it has it."""
    wanted = set(wide.page.evaluate(REACHABLE))
    reached: set[int] = set()
    for _ in range(TABS_MAX):
        wide.page.keyboard.press("Tab")
        reached.add(wide.page.evaluate(FOCUSED))
        if wanted <= reached:
            break
        assert wide.page.evaluate(OUTLINED)

    assert wanted
    assert wanted <= reached


def test_without_scripts_all_of_it_is_there(wide: Visit, browser: Browser) -> None:
    """The same words, and no element that runs anything."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(wide.address)

    assert page.inner_text("main") == wide.page.inner_text("main")
    assert page.locator("script, noscript, [onclick], [onload]").count() == 0
    context.close()
