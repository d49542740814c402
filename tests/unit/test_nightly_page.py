"""The page of a night, drawn from made-up nights of every kind."""

import random
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.unit.made_nights import TONIGHT, Made, control, digest, make_nights, night_of
from tests.unit.test_report import outline

from sealegs.errors import ScenarioError
from sealegs.evidence import RUNS
from sealegs.nightly.history import NIGHTS, read_night, record_of, write_night
from sealegs.nightly.night import Digest, Night
from sealegs.nightly.page import PAGES_KEPT, render
from sealegs.nightly.series import NIGHTS_SHOWN

RNG = random.Random(2)  # noqa: S311  a model's dice
YEAR = 365
YEAR_BYTES_MAX = 100_000_000
HOSTILE = "</title><script>alert(1)</script>\"'&"


def tonight(root: Path) -> Night:
    """The newest night."""
    night = read_night(record_of(root, TONIGHT))
    assert isinstance(night, Night)
    return night


def change(root: Path, **fields: object) -> Digest:
    """Change the first scenario's run of tonight; returns it."""
    night = tonight(root)
    run = replace(night.runs[0], **fields)  # type: ignore[arg-type]
    write_night(root, replace(night, runs=(run, *night.runs[1:])))
    return run


def text_of(page: Path) -> str:
    """What is read on a page, and what its pictures say, in order."""
    return re.sub(r"\s+", " ", re.sub(r"<(?!svg|span)[^>]*>", " ", page.read_text()))


def section(page: Path, name: str) -> str:
    """One section's text."""
    parts = re.split(r'<section aria-labelledby="([a-z]+)">', page.read_text())
    found = dict(zip(parts[1::2], parts[2::2], strict=True))[name]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", found)).strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twenty nights of three scenarios."""
    make_nights(tmp_path, count=20, scenarios=3)
    return tmp_path


def test_a_page_stands_alone(root: Path) -> None:
    """Nothing is loaded or run, no address leaves the folder, and every link and anchor is there."""
    run = root / RUNS / str(tonight(root).runs[0].run_id)
    run.mkdir(parents=True)
    (run / "report.html").write_text("")
    page = render(root)

    for drawn in (page, root / NIGHTS / "index.html"):
        parsed = outline(drawn.read_text())
        assert parsed.open == []
        assert parsed.elements.isdisjoint({"script", "link", "img", "iframe", "object"})
        assert not [one for one in parsed.addresses if re.match(r"\w+:|//", one)]
        assert "url(" not in drawn.read_text().replace("url(#hatch)", "")
        for address in parsed.addresses:
            if address.startswith("#"):
                assert address[1:] in parsed.ids
            else:
                assert (drawn.parent / address).resolve().is_relative_to(root)
                assert (drawn.parent / address).is_file()
    assert f"../../runs/{run.name}/report.html" in outline(page.read_text()).addresses


def test_the_same_records_give_the_same_bytes(root: Path) -> None:
    """Drawing again changes nothing, in the page and in the list of nights."""
    before = render(root).read_bytes(), (root / NIGHTS / "index.html").read_bytes()

    assert (render(root).read_bytes(), (root / NIGHTS / "index.html").read_bytes()) == before


def test_what_people_wrote_is_text(root: Path) -> None:
    """A name, a reason or an image that looks like HTML is shown and not taken for it."""
    change(
        root,
        scenario=HOSTILE,
        verdict="FAIL",
        reasons=(HOSTILE,),
        run_id=HOSTILE,
        error=HOSTILE,
        commit=HOSTILE,
        images={HOSTILE: HOSTILE},
    )

    for drawn in (render(root), root / NIGHTS / "index.html"):
        parsed = outline(drawn.read_text())
        assert parsed.open == []
        assert "script" not in parsed.elements
    assert "&lt;script&gt;" in render(root).read_text()


def test_the_worst_comes_first(root: Path) -> None:
    """FAIL before INVALID before INCONCLUSIVE before PASS, whatever the names; claims alike."""
    night = tonight(root)
    worse = replace(night.runs[2], objectives=(*night.runs[2].objectives[1:],), verdict="INCONCLUSIVE")
    bad = digest("z", Made(loss=0.12), RNG, day=TONIGHT)
    write_night(root, replace(night, runs=(*night.runs[:2], worse, bad)))
    page = render(root)

    order = re.findall(r'<th scope="rowgroup">([^<]+)<', page.read_text())

    assert order == ["z", "scenario-03", "scenario-01", "scenario-02"]
    assert page.read_text().index("<title>FAIL") < page.read_text().index("Night of")


def test_every_claim_stands_with_its_limit_and_numbers(root: Path) -> None:
    """Target, limit, k of n, the share and its bounds, for each objective of each scenario."""
    page = render(root)
    shown = text_of(page)

    for run in tonight(root).runs[:3]:
        for one in run.objectives:
            assert f"{one.n - one.bad:,} of {one.n:,}" in shown
    assert shown.count("≥ 95 % within 1.00 s") >= 6
    assert shown.count("≥ 95 % within 2.50 s") >= 6
    assert "Between 9" in shown
    assert "≤ 60 s" in shown


def test_a_new_fail_and_what_it_fixed_are_told(root: Path) -> None:
    """What was PASS and is FAIL is new, what was FAIL and is PASS is fixed; what stayed is not told."""
    before = replace(tonight(root), night="2026-11-25")
    failing = digest("scenario-02", Made(loss=0.12), RNG, day=TONIGHT)
    write_night(root, replace(before, runs=(before.runs[0], failing, *before.runs[2:])))
    write_night(
        root, replace(tonight(root), runs=(replace(failing, scenario="scenario-01"), *before.runs[1:]))
    )

    told = section(render(root), "changes")

    assert "FAIL new FAIL scenario-01 success-baseline, success-fault" in told
    assert "PASS fixed scenario-02" in told
    assert "scenario-03" not in told


def test_a_fail_that_stays_is_not_new(root: Path) -> None:
    """A claim that failed last night and fails tonight is no change; another one of the same scenario is."""
    night = replace(tonight(root), night="2026-11-25")
    run = night.runs[0]
    first, second = (replace(one, verdict="FAIL") for one in run.objectives[:2])
    before = replace(run, verdict="FAIL", objectives=(first, *run.objectives[1:]))
    write_night(root, replace(night, runs=(before, *night.runs[1:])))
    change(root, verdict="FAIL", objectives=(first, *run.objectives[1:]))
    assert "scenario-01" not in section(render(root), "changes")

    change(root, objectives=(first, second, *run.objectives[2:]))
    assert "new FAIL scenario-01 success-fault" in section(render(root), "changes")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            {"verdict": "INVALID", "valid": False, "reasons": ("clock is off",)},
            "newly INVALID scenario-01 clock is off",
        ),
        ({"verdict": "INCONCLUSIVE", "reasons": ("too few",)}, "newly INCONCLUSIVE scenario-01 too few"),
        ({"scenario": "another"}, "no longer run scenario-01 was PASS"),
        ({"scenario": "another"}, "new scenario another first run"),
    ],
)
def test_other_changes_are_told(root: Path, fields: dict[str, object], told: str) -> None:
    """Newly without a verdict, gone, and new scenarios, with the reason."""
    change(root, **fields)

    assert told in section(render(root), "changes")


def test_nothing_new_is_said(root: Path) -> None:
    """A night like the one before says so, and an only night that there is none before."""
    assert "Nothing: every scenario ended as it did then" in section(render(root), "changes")

    alone = root / "alone"
    make_nights(alone, count=1)
    assert "no earlier night" in section(render(alone), "changes")


def test_a_control_that_is_missed_is_told_first(root: Path) -> None:
    """The head names it, and its row says what it should have been."""
    night = tonight(root)
    missed = replace(control("engine-aborts-on-term", day=TONIGHT), verdict="PASS", as_expected=False)
    write_night(root, replace(night, runs=(*night.runs[:3], missed)))
    page = render(root)

    assert "<title>FAIL" in page.read_text()
    assert "not caught engine-aborts-on-term" in section(page, "changes")
    assert "must be FAIL, is PASS" in section(page, "controls")
    assert "0 of 1 caught" in text_of(page)


@pytest.mark.parametrize(("later_h", "stale"), [(35, False), (37, True)])
def test_a_stale_night_is_an_alarm(root: Path, later_h: int, *, stale: bool) -> None:
    """Thirty-six hours after the newest valid night the page of it says so, if it is asked then."""
    ended = datetime(2026, 11, 26, 5, tzinfo=UTC)
    page = render(root, now=ended + timedelta(hours=later_h))

    assert ("no VALID night for" in page.read_text()) == stale
    assert ('class="freshness alarm"' in page.read_text()) == stale


def test_invalid_nights_do_not_keep_it_fresh(root: Path) -> None:
    """After two INVALID nights the newest valid one is two days old: an alarm by the night's own clock."""
    for back in (0, 1):
        day = TONIGHT - timedelta(days=back)
        night = read_night(record_of(root, day))
        assert isinstance(night, Night)
        run = replace(night.runs[0], verdict="INVALID", valid=False)
        write_night(root, replace(night, runs=(run, *night.runs[1:])))

    assert "no VALID night for 48 h (at most 36): the newest is 2026-11-24" in text_of(render(root))


def test_a_state_that_is_not_reached_any_more_is_overdue(root: Path) -> None:
    """Seven nights without a state that was reached before are a warning, six are not."""
    for back, day in enumerate(TONIGHT - timedelta(days=back) for back in range(20)):
        night = read_night(record_of(root, day))
        assert isinstance(night, Night)
        states = {"ejection": 1} if back >= 7 else {}
        states |= {"retry": 3} if back >= 6 else {}
        write_night(root, replace(night, runs=tuple(replace(run, states=states) for run in night.runs)))

    told = section(render(root), "ledger")

    assert re.search(r"ejection ▲ not seen for 7 nights 0 2026-11-19", told)
    assert re.search(r"retry no 0 2026-11-20", told)
    assert re.search(r"scale-up ▲ not seen for 20 nights 0 never", told)


def test_expected_false_alarms_are_printed(root: Path) -> None:
    """Three scenarios of eight objectives at confidence 0.99: 0.24 a night at the limit."""
    told = section(render(root), "verdicts")

    assert "24 objectives were decided" in told
    assert "0.24 wrong words a night" in told


def test_an_older_night_can_be_drawn(root: Path) -> None:
    """A date shows that night as it was; one that is not there is refused."""
    page = render(root, night=TONIGHT - timedelta(days=3))

    assert page.parent.name == "2026-11-23"
    assert "2026-11-26" not in page.read_text()
    with pytest.raises(ScenarioError, match="no folder of 2025-01-01"):
        render(root, night=datetime(2025, 1, 1, tzinfo=UTC).date())
    with pytest.raises(ScenarioError, match="no folder of any night"):
        render(root / "nothing")


def test_a_night_without_a_run_is_not_a_pass(root: Path) -> None:
    """Nothing tested: INCONCLUSIVE, and the head says so."""
    write_night(root, night_of(TONIGHT, ()))

    page = render(root)

    assert "<title>INCONCLUSIVE" in page.read_text()
    assert "nothing was tested" in text_of(page)


def test_pages_are_kept_for_a_while_and_records_for_good(tmp_path: Path) -> None:
    """The page of the sixty-first night back is gone with the next drawing, its record is not."""
    make_nights(tmp_path, count=PAGES_KEPT + 1)
    for back in (PAGES_KEPT, PAGES_KEPT - 1):
        page = record_of(tmp_path, TONIGHT - timedelta(days=back)).with_name("index.html")
        page.write_text("drawn once")

    render(tmp_path)

    kept = [record_of(tmp_path, TONIGHT - timedelta(days=back)) for back in (PAGES_KEPT, PAGES_KEPT - 1)]
    assert [record.with_name("index.html").is_file() for record in kept] == [False, True]
    assert all(record.is_file() for record in kept)


def test_a_year_of_twenty_scenarios_fits(tmp_path: Path) -> None:
    """365 nights of twenty scenarios with eight objectives: 100 MB, the pages that are kept with them.

    As many nights are made as a page shows, and the last one stands for the others.
    """
    make_nights(tmp_path, count=NIGHTS_SHOWN, scenarios=20)
    page, record = render(tmp_path), record_of(tmp_path, TONIGHT)
    sizes = [one.stat().st_size for one in (page, record, tmp_path / NIGHTS / "index.html")]

    assert PAGES_KEPT * sizes[0] + YEAR * sizes[1] + 10 * sizes[2] <= YEAR_BYTES_MAX
