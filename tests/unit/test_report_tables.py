"""The page's tables, from made-up verdicts: percentiles, differences, ladder, losses, budget and slices."""

import dataclasses
import json
import re
from typing import Any

import pytest
from tests.golden.make_run import make_run

from sealegs.judge import judge
from sealegs.report.ladder import ladder_of
from sealegs.report.losses import causes
from sealegs.report.numbers import changes, percentiles
from sealegs.report.page import draw
from sealegs.report.reading import Reading, read
from sealegs.report.rows import objectives, phases
from sealegs.report.words import allowed, figure

NEW = ("percentiles", "losses", "budget")
BUDGET = {
    "verdict": "INCONCLUSIVE",
    "why": "correlated",
    "target": 0.999,
    "period_d": 28.0,
    "window_s": 60.0,
    "n": 600,
    "bad": 3,
    "effective_n": 300,
    "spent": 0.000124,
    "spent_low": 0.00002,
    "spent_high": 0.0004,
    "spent_max": 0.01,
    "request_ids": ["r000001"],
    "detail": "3 bad of 600",
}


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    """A run in which the drained engine cut its streams."""
    run_dir = make_run(tmp_path_factory.mktemp("runs"), case="fail-truncated")
    judge(run_dir)
    return read(run_dir)


def told(reading: Reading, **parts: Any) -> Reading:  # noqa: ANN401  a verdict's parts
    """The same run with another verdict."""
    return dataclasses.replace(reading, verdict={**reading.verdict, **parts})


def percentile(phase: str, value_s: float | None, **other: Any) -> dict[str, Any]:  # noqa: ANN401  a verdict's part
    """One percentile of a verdict: the p95 of first tokens of all requests, in bounds of a tenth."""
    low, high = (None, None) if value_s is None else (value_s * 0.9, value_s * 1.1)
    whose = {"phase": phase, "metric": "ttft", "since": "intended", "of": "all", "n": 500, "q": 0.95}
    return {**whose, "value_s": value_s, "low_s": low, "high_s": high, **other}


def test_a_failure_at_a_rank_is_never_and_too_few_is_nothing(reading: Reading) -> None:
    """Infinite is said in words, with the bound that there is; no request is a dash."""
    found = [
        percentile("baseline", 0.2, q=0.5),
        percentile("baseline", 0.3),
        percentile("baseline", None, q=0.99, low_s=0.4),
        percentile("fault", None, n=0, q=0.5),
        percentile("fault", 0.3, low_s=None, high_s=0.5),
        percentile("fault", 0.3, q=0.99, low_s=None, high_s=None),
    ]
    [(name, rows)] = percentiles(told(reading, percentiles=found))

    assert name == "Time to first token"
    assert [row.phase for row in rows] == ["baseline", "fault"]
    assert [[(cell.value, cell.bounds) for cell in row.everyone] for row in rows] == [
        [("200 ms", "180 to 220 ms"), ("300 ms", "270 to 330 ms"), ("never", "at least 400 ms")],
        [("\N{EN DASH}", ""), ("300 ms", "at most 500 ms"), ("300 ms", "")],
    ]
    assert {cell.value for row in rows for cell in row.survivors} == {"\N{EN DASH}"}


def test_survivors_stand_beside_all_and_intended_beside_sent(reading: Reading) -> None:
    """What was left out, and what a late client would hide, are in the same table."""
    found = [
        percentile("fault", value_s, since=since, of=of)
        for since, of, value_s in (
            ("intended", "survivors", 0.1),
            ("intended", "all", None),
            ("sent", "survivors", 0.05),
            ("sent", "all", 0.7),
        )
    ]
    [(_, rows)] = percentiles(told(reading, percentiles=found))

    assert [(row.since, row.survivors[1].value, row.everyone[1].value) for row in rows] == [
        ("intended", "100 ms", "never"),
        ("sent", "50 ms", "700 ms"),
    ]


@pytest.mark.parametrize(
    ("limit", "told"),
    [(119.5, "119.5"), (0.0375, "0.0375"), (1.23456789, "1.23456789"), (1200, "1,200"), (3, "3")],
)
def test_a_limit_is_told_to_its_last_digit(limit: float, told: str) -> None:
    """A reader holds the number against the limit that was claimed, and not against one beside it."""
    assert allowed(limit, None) == f"≥ {told}"
    assert allowed(None, limit) == f"≤ {told}"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (119.7, "119.7"),
        (2.3456, "2.346"),
        (0.012347, "0.01235"),
        (1234.56, "1,234.6"),
        (4321, "4,321"),
        (2, "2"),
    ],
)
def test_a_figure_has_four_digits_and_a_decimal_at_least(value: float, told: str) -> None:
    """As many as limits have, so that 119.7 is not read as the 120 that it is held against."""
    assert figure(value) == told


def test_phases_differ_by_what_their_bounds_show(reading: Reading) -> None:
    """The lower bound of one less the upper one of the other, and the other way round; never is worse."""
    found = [percentile("baseline", 0.1), percentile("fault", 0.2), percentile("recovery", 0.11)]
    shown = {row.what: row for row in changes(told(reading, percentiles=found))}["Time to first token, p95"]
    lost = [percentile("baseline", 0.1), percentile("fault", None, low_s=0.2), percentile("recovery", 0.05)]
    never = changes(told(reading, percentiles=lost))[-1]

    assert (shown.fault_differs.value, shown.fault_differs.bounds) == ("+100 ms", "+70 ms to +130 ms: worse")
    assert shown.recovery_differs.bounds == "\N{MINUS SIGN}11 ms to +31 ms: none shown"
    assert (never.fault_differs.value, never.fault_differs.bounds) == ("never", "at least +90 ms: worse")
    assert never.recovery_differs.bounds.endswith("better")


def test_a_share_that_fell_is_worse(reading: Reading) -> None:
    """Streams were cut in the fault: fewer of its answers are whole than in the baseline, or the recovery."""
    [whole, *_] = changes(reading)

    assert whole.what == "answered whole and right"
    assert whole.baseline.value == "100 %"
    assert re.fullmatch(r"\N{MINUS SIGN}\d\.\d\d pp", whole.fault_differs.value)
    assert whole.fault_differs.bounds.endswith(": worse")
    assert whole.recovery_differs.bounds.endswith(": none shown")


def test_who_hung_up_as_planned_did_not_fail(reading: Reading) -> None:
    """A phase's failures are the outcomes that the verdict counts as bad."""
    verdict = json.loads(json.dumps(reading.verdict))
    verdict["phases"][0]["outcomes"] = {"ok": 3, "cancelled": 12, "http_5xx": 2}

    first, *_ = phases(dataclasses.replace(reading, verdict=verdict))
    assert first.failed == "http_5xx 2"


def test_without_two_phases_nothing_differs(reading: Reading) -> None:
    """A run that has no fault and no recovery has nothing to set beside its baseline."""
    assert changes(dataclasses.replace(reading, phases=reading.phases[:2])) == []


def test_a_rung_is_as_long_as_it_took(reading: Reading) -> None:
    """All on one axis; one that was not seen says so, and has no bar."""
    rungs: list[dict[str, Any]] = [
        {"name": "injected", "at_s": 93.0, "after_s": 0.0, "subject": "node_drain"},
        {"name": "ready", "at_s": 103.0, "after_s": 10.0, "subject": "llm-inference-x"},
        {"name": "slo-met", "at_s": 113.0, "after_s": 20.0, "subject": ""},
        {"name": "loaded", "at_s": None, "after_s": None, "subject": ""},
    ]
    ladder = ladder_of(rungs)

    assert ladder is not None
    assert ladder.until == "20 s"
    assert [row.after for row in ladder.rows] == ["0 s", "+10.0 s", "+20.0 s", "not seen"]
    assert [re.findall(r'<rect[^>]* width="([\d.]+)"', row.bar) for row in ladder.rows] == [
        ["0"],
        ["174"],
        ["348"],
        [],
    ]
    assert "not seen" in draw(told(reading, fault={**reading.verdict["fault"], "ladder": rungs}))
    assert ladder_of([one | {"after_s": None} for one in rungs]) is None


@pytest.mark.parametrize("unexplained", [0, 2])
def test_the_unexplained_are_always_counted(unexplained: int) -> None:
    """Also when there are none: that nobody looked would look the same."""
    why = {"cause": "client-cap", "meaning": "not sent", "count": 30, "request_ids": ["r1", "r2"]}
    rest = {"cause": "unexplained", "meaning": "nobody knows", "count": 2, "request_ids": ["r3", "r4"]}
    found = [why, *([rest] if unexplained else [])]
    rows = causes({"losses": {"lost": 30 + unexplained, "unexplained": unexplained, "causes": found}})

    assert [(row.cause, row.count) for row in rows] == [
        ("client-cap", "30"),
        ("unexplained", str(unexplained)),
    ]
    assert rows[0].request_ids == "r1, r2 and 28 more"
    assert rows[1].share == ("6.25 %" if unexplained else "0 %")


def test_nothing_lost_is_nothing_unexplained() -> None:
    """No share is made of none."""
    [row] = causes({"losses": {"lost": 0, "unexplained": 0, "causes": []}})

    assert (row.cause, row.count, row.share) == ("unexplained", "0", "\N{EN DASH}")


def test_a_budget_is_said_in_numbers_and_drawn(reading: Reading) -> None:
    """What was spent between its bounds, the limit, and why nothing was decided."""
    page = draw(told(reading, budget=BUDGET))

    assert "Between 0.002 % and 0.04 % spent, at most 1 % may be." in page
    assert "≤ 1 %" in page
    assert "0.012 %<small>0.002 % to 0.04 %</small>" in page
    assert 'id="budget"' not in draw(told(reading, budget=None))


def test_slices_are_counted_as_slices(reading: Reading) -> None:
    """An objective of slices says what a slice is, and counts them."""
    one = {**reading.verdict["objectives"][0], "n": 12, "bad": 1, "effective_n": 8}
    sliced = {**one, "slice_s": 5.0, "slice_share": 0.9}
    row, plain = objectives(told(reading, objectives=[sliced, {**one, "slice_s": None, "slice_share": None}]))

    assert row.what.endswith(", of 90 % in each 5.00 s")
    assert (row.counted, row.worth) == ("11 of 12 slices", "worth about 8 independent slices")
    assert (plain.counted, plain.worth) == ("11 of 12", "worth about 8 independent requests")


def test_a_verdict_from_before_is_still_drawn(reading: Reading) -> None:
    """What it does not say is not there, and nothing is made up for it."""
    before = {key: value for key, value in reading.verdict.items() if key not in NEW}
    before["fault"] = {key: value for key, value in before["fault"].items() if key != "ladder"}
    for one in before["objectives"]:
        one.pop("slice_s", None)
    page = draw(dataclasses.replace(reading, verdict=json.loads(json.dumps(before))))

    for absent in ("percentiles", "ladder", "budget"):
        assert f'id="{absent}"' not in page
    assert "unexplained" not in page
    assert 'id="changes"' in page


def test_the_lines_of_the_timeline_are_a_table_too(reading: Reading) -> None:
    """Each step has its row, and what failed or never came is in it."""
    page = draw(reading)
    [table] = re.findall(r'aria-label="The timeline in numbers".*?</table>', page, flags=re.DOTALL)
    rows = [re.findall(r"<td[^>]*>([^<]*)", row) for row in re.findall(r"<tr>(.*?)</tr>", table)]
    [_, *steps] = rows
    columns = re.findall(r"<th [^>]*>([^<]*)", table)

    assert columns[:4] == ["from, s", "requests/s planned", "requests/s answered", "requests failed"]
    assert {len(step) for step in steps} == {len(columns)}
    assert sum(float(step[3]) for step in steps) == int((~reading.ok).sum())
    assert "never" in {step[columns.index("TTFT, s p95")] for step in steps}
