"""How far a run is, told in lines and rows."""

import dataclasses
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from tests.unit.growing_run import INJECTED, GrowingRun

from sealegs.progress.lines import changed, line, rows
from sealegs.progress.reading import Change, Progress, Sending
from sealegs.progress.show import LINE_EVERY_S, Board, Log, shown
from sealegs.report.words import MISSING
from sealegs.scenario.claim import Phases
from sealegs.waiting import wait_until

PHASES = Phases(warmup_s=15, baseline_s=60, fault_s_max=75, recovery_s=60)
BEGUN = (
    Change(t_s=30.0, fault="", state="warmup"),
    Change(t_s=45.0, fault="", state="baseline"),
    Change(t_s=105.0, fault="", state="fault"),
)
DRAINED = (
    Change(t_s=106.0, fault="node_drain", state="armed", detail="waiting for 3 streams in flight on it"),
    Change(t_s=107.0, fault="node_drain", state="injected", detail="4 streams in flight"),
    Change(t_s=123.0, fault="node_drain", state="landed"),
)
SENDING = Sending(
    planned=1743,
    sent=842,
    in_flight=14,
    outcomes={"ok": 817, "cancelled": 2, "http_429": 8, "reset": 1},
    ttft_s_p95=0.212,
    first_tokens=131,
    waiting_s_max=3.21,
)
OPENING = Progress(t_s=12.0, phases=PHASES, disturbed=True, replicas={})
FAULT = Progress(
    t_s=135.0,
    phases=PHASES,
    disturbed=True,
    changes=(*BEGUN, *DRAINED),
    sending=SENDING,
    replicas={"llm-api": (2, 2), "llm-inference": (2, 3)},
)

ROWS = {
    100: """
phase     fault  ━━━━━━━━━━━━━━━━────────────────────────  at most 45 s left · run 1 min 45 s
requests  842 of 1,743 sent · 14 in flight · 9 bad: 8 http_429, 1 reset
TTFT      p95 0.21 s of 131 in 15 s · longest wait now 3.21 s
replicas  llm-api 2/2 ready · llm-inference 2/3 ready
fault     node_drain landed 12 s ago · injected 28 s ago
""",
    60: """
phase     fault  ━━━────  at most 45 s left · run 1 min 45 s
requests  842 of 1,743 sent · 14 in flight · 9 bad: 8 http_…
TTFT      p95 0.21 s of 131 in 15 s · longest wait now 3.21…
replicas  llm-api 2/2 ready · llm-inference 2/3 ready
fault     node_drain landed 12 s ago · injected 28 s ago
""",
}


@pytest.mark.parametrize("width", [100, 60])
def test_rows_read_well(width: int) -> None:
    """What a person sees while the fault is on: all of it on a wide terminal, on a narrow one what fits."""
    assert "\n".join(row.plain for row in rows(FAULT, width=width)) == ROWS[width].strip()


def test_a_line_says_the_same() -> None:
    """What a log gets."""
    assert line(FAULT) == (
        "fault · at most 45 s left · run 1 min 45 s · 842 of 1743 sent, 14 in flight, "
        "9 bad: 8 http_429, 1 reset · TTFT p95 0.21 s · ready llm-api 2/2, llm-inference 2/3 · "
        "node_drain landed 12 s ago"
    )


def test_before_load_nothing_is_made_up() -> None:
    """While the stack is applied nobody knows how long it takes, and there is no number yet."""
    assert line(OPENING) == "opening · 12 s so far · no load yet"
    assert [row.plain for row in rows(OPENING, width=60)] == [
        "phase     opening  12 s so far",
        "requests  no load yet",
        f"TTFT      {MISSING}",
        f"replicas  {MISSING}",
        "fault     not yet",
    ]


def at(t_s: float, *phases: tuple[str, float], disturbed: bool = True) -> str:
    """The first words of a run at a time, in the last of these phases."""
    changes = tuple(Change(t_s=begun_s, fault="", state=name) for name, begun_s in phases)
    now = Progress(t_s=t_s, phases=PHASES, disturbed=disturbed, changes=changes, replicas={})
    return line(now).removesuffix(" · load is starting")


def test_time_left_is_that_of_the_plan() -> None:
    """Load lasts its planned time from when it begins; a fault's end is known only where there is none."""
    early = [("warmup", 30.0), ("baseline", 45.0)]

    assert at(32, *early[:1]) == "warmup · 13 s left · run 3 min 28 s"
    assert at(50, *early) == "baseline · 55 s left · run 3 min 10 s"
    assert at(150, *early, ("fault", 105.0)) == "fault · at most 30 s left · run 1 min 30 s"
    assert at(150, *early, ("fault", 105.0), disturbed=False) == "fault · 30 s left · run 1 min 30 s"
    assert at(150, *early, ("fault", 105.0), ("recovery", 140.0)) == "recovery · 1 min 30 s left"
    assert at(243, *early, ("recovery", 140.0)) == "recovery · last answers, 3 s so far"
    assert at(245, *early, ("recovery", 140.0), ("end", 244.0)) == "end · load has ended"


def test_silence_is_told() -> None:
    """When no token comes any more there is no percentile, and the longest wait grows."""
    silent = dataclasses.replace(SENDING, ttft_s_p95=None, first_tokens=0, waiting_s_max=24.0)
    now = dataclasses.replace(FAULT, sending=silent)

    assert rows(now, width=100)[2].plain == "TTFT      no first token in 15 s · longest wait now 24 s"
    assert "TTFT" not in line(now)


def test_what_is_wrong_stands_out() -> None:
    """Failed requests are red, missing replicas yellow; while all is well nothing is."""
    well = dataclasses.replace(
        FAULT, sending=dataclasses.replace(SENDING, outcomes={"ok": 828}), replicas={"llm-api": (2, 2)}
    )
    styles = {
        now.t_s: {str(span.style) for row in rows(now, width=100)[1:4] for span in row.spans}
        for now in (FAULT, dataclasses.replace(well, t_s=136.0))
    }

    assert styles == {135.0: {"bold", "red", "yellow"}, 136.0: {"bold"}}


counts = st.integers(0, 10**7)
sendings = st.builds(
    Sending,
    planned=counts,
    sent=counts,
    in_flight=counts,
    outcomes=st.dictionaries(st.sampled_from(["ok", "cancelled", "http_429", "reset", "stall"]), counts),
    ttft_s_p95=st.none() | st.floats(0, 600),
    first_tokens=counts,
    waiting_s_max=st.none() | st.floats(0, 600),
)
names = st.sampled_from(["warmup", "baseline", "fault", "recovery", "end"])
changes = st.builds(Change, t_s=st.floats(0, 1e4), fault=st.just(""), state=names) | st.builds(
    Change,
    t_s=st.floats(0, 1e4),
    fault=st.sampled_from(["node_drain", "pod_kill"]),
    state=st.sampled_from(["armed", "injected", "landed", "undone", "gone"]),
)
progresses = st.builds(
    Progress,
    t_s=st.floats(0, 1e4),
    phases=st.just(PHASES),
    disturbed=st.booleans(),
    changes=st.lists(changes, max_size=8).map(tuple),
    sending=st.none() | sendings,
    replicas=st.dictionaries(st.sampled_from(["llm-api", "llm-inference"]), st.tuples(counts, counts)),
)


@given(progresses, st.integers(10, 200))
def test_no_row_is_wider_than_the_terminal(now: Progress, width: int) -> None:
    """Whatever happens: a row that wraps would be drawn over wrongly."""
    told = rows(now, width=width)

    assert max(row.cell_len for row in told) <= width
    assert not any("\n" in row.plain for row in told)
    assert not any(not character.isprintable() for character in line(now))


def test_a_log_gets_news_at_once_and_otherwise_a_line_now_and_then() -> None:
    """A line every so often, counted from the last thing that was told."""
    out = io.StringIO()
    log = Log(out)
    log.tell(OPENING, [])
    log.tell(FAULT, [changed(change, FAULT) for change in FAULT.changes[-3:]])
    for passed_s in (LINE_EVERY_S - 0.1, LINE_EVERY_S, 2 * LINE_EVERY_S - 0.1):
        log.tell(dataclasses.replace(FAULT, t_s=FAULT.t_s + passed_s), [])

    assert [said.removeprefix("sealegs: ").partition(" left")[0] for said in out.getvalue().splitlines()] == [
        "opening · 12 s so far · no load yet",
        "fault node_drain armed · waiting for 3 streams in flight on it",
        "fault node_drain injected · 4 streams in flight",
        "fault node_drain landed",
        "fault · at most 35 s",
    ]


def test_a_terminal_that_has_gone_ends_no_run() -> None:
    """Who closes the window or quits the pager sees no more; the run goes on to undo its fault."""
    person, end = os.openpty()
    with os.fdopen(end, "w") as out:
        tellers = (Log(out), Board(Console(file=out, force_terminal=True)))
        os.close(person)
        for teller in tellers:
            teller.say("error in fault: interrupted")
            teller.tell(FAULT, ["fault node_drain gone"])
        with pytest.raises(OSError, match="Input/output error"):
            out.flush()
        # What is left in its buffer is not to be an error of the closing.
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), end)


class Terminal(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


@pytest.mark.parametrize(("out", "live"), [(io.StringIO(), True), (Terminal(), False)], ids=["pipe", "door"])
def test_lines_tell_every_change_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: io.StringIO, *, live: bool
) -> None:
    """What others say, phases, and two states of a fault between two looks; also what the end brings.

    A pipe gets no escape codes, even from who wants colours everywhere; nor does a door that wants no rows.
    """
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    run = GrowingRun.begin(tmp_path / "run")
    with shown(run.run_dir, out=out, live=live) as say:
        say("applying the stack")
        run.note("phase", t_s=1.0, name="warmup")
        wait_until(
            lambda: "warmup" in out.getvalue(), ready=bool, limit_s=10, every_s=0.01, what="the first phase"
        )
        run.status()
        run.note("fault", t_s=2.0, **INJECTED)
        run.note("fault", t_s=2.1, **INJECTED | {"state": "landed", "detail": ""})
        run.note("phase", t_s=3.0, name="end")

    assert out.getvalue().splitlines() == [
        "sealegs: applying the stack",
        "sealegs: warmup · load is starting",
        "sealegs: fault node_drain injected · 4 streams in flight",
        "sealegs: fault node_drain landed",
        "sealegs: end · 300 of 1743 sent, 4 in flight, 8 bad: 6 http_429, 2 reset",
    ]
