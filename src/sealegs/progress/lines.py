"""How far a run is, in words: one line for a log, a few rows for a terminal."""

from rich.text import Text

from sealegs.progress.reading import END, OPENING, Change, Progress, Sending
from sealegs.report.words import MISSING, duration, seconds
from sealegs.scenario.workload import ANSWERED
from sealegs.traffic.first_tokens import WINDOW_S

LABEL_WIDTH = 10
BAR_WIDTH_MIN, BAR_WIDTH_MAX = 6, 40
DOT = " · "
# A fault that is on, and one that has been taken back.
COLOURS = {"injected": "yellow", "landed": "yellow", "undone": "cyan", "gone": "green"}

Part = tuple[str, str]  # text, and its style


def line(now: Progress) -> str:
    """All of it in one line."""
    parts = [_phase(now), _load(now)]
    if now.sending is not None and now.sending.first_tokens:
        parts.append(f"TTFT p95 {seconds(now.sending.ttft_s_p95)}")
    if now.replicas:
        ready = (f"{app} {ready}/{desired}" for app, (ready, desired) in now.replicas.items())
        parts.append(f"ready {', '.join(ready)}")
    parts += [f"{states[-1].fault} {_ago(states[-1], now)}" for states in now.faults]
    return DOT.join(parts)


def changed(change: Change, now: Progress) -> str:
    """A line of its own for a change."""
    if not change.fault:
        return f"{change.state}{DOT}{_load(now)}"
    return DOT.join(filter(None, (f"fault {change.fault} {change.state}", change.detail)))


def rows(now: Progress, *, width: int) -> tuple[Text, ...]:
    """The same in rows that are no wider than so many columns; what does not fit is cut off."""
    told: list[tuple[str, list[Part]]] = [
        ("phase", _bar(now, width=width)),
        ("requests", _requests(now)),
        ("TTFT", _ttft(now.sending)),
        ("replicas", _replicas(now)),
    ]
    if now.disturbed:
        told.append(("fault", _faults(now)))
    return tuple(_row(label, parts, width=width) for label, parts in told)


def _row(label: str, parts: list[Part], *, width: int) -> Text:
    row = Text.assemble((label.ljust(LABEL_WIDTH), "bold"), *parts, no_wrap=True, overflow="ellipsis")
    row.truncate(width, overflow="ellipsis")
    return row


def _bar(now: Progress, *, width: int) -> list[Part]:
    """The phase, how much of it has passed, drawn where there is room, and how long it may still take."""
    name, words = f"{now.phase.state}  ", _left(now)
    room = min(BAR_WIDTH_MAX, width - LABEL_WIDTH - len(name) - len(words) - 2)
    if now.phase_end_s is None or room < BAR_WIDTH_MIN:
        return [(name, ""), (words, "")]
    length_s = now.phase_end_s - now.phase.t_s
    passed = (now.t_s - now.phase.t_s) / length_s if length_s > 0 else 1.0
    full = round(room * min(1.0, max(0.0, passed)))
    return [(name, ""), ("━" * full, "cyan"), ("─" * (room - full), "dim"), (f"  {words}", "")]


def _phase(now: Progress) -> str:
    return f"{now.phase.state}{DOT}{_left(now)}"


def _left(now: Progress) -> str:
    """How long the phase and the whole run may still take."""
    if now.phase.state == END:
        return "load has ended"
    if now.phase_end_s is None or now.load_end_s is None:
        return f"{duration(now.t_s)} so far"
    if now.phase.state == "recovery":
        left_s = now.load_end_s - now.t_s
        return f"{duration(left_s)} left" if left_s > 0 else f"last answers, {duration(-left_s)} so far"
    # An experiment ends when it has been played, which its phase only bounds.
    most = "at most " if now.phase.state == "fault" and now.disturbed else ""
    phase_s, run_s = (max(0.0, end_s - now.t_s) for end_s in (now.phase_end_s, now.load_end_s))
    return f"{most}{duration(phase_s)} left{DOT}run {duration(run_s)}"


def _load(now: Progress) -> str:
    """How load goes, in words."""
    if now.sending is None:
        return "no load yet" if now.phase.state == OPENING else "load is starting"
    sending = now.sending
    sent = f"{sending.sent} of {sending.planned} sent, {sending.in_flight} in flight"
    return f"{sent}, {_bad(sending)}"


def _requests(now: Progress) -> list[Part]:
    sending = now.sending
    if sending is None:
        return [(_load(now), "")]
    words = f"{sending.sent:,} of {sending.planned:,} sent{DOT}{sending.in_flight:,} in flight{DOT}"
    bad = _bad(sending)
    return [(words, ""), (bad, "" if bad == "0 bad" else "red")]


def _bad(sending: Sending) -> str:
    """How many requests were not answered, and what became of them, the most frequent first."""
    bad = {word: count for word, count in sending.outcomes.items() if word not in ANSWERED}
    words = ", ".join(
        f"{count} {word}" for word, count in sorted(bad.items(), key=lambda one: (-one[1], one[0]))
    )
    return f"{sum(bad.values())} bad" + (f": {words}" if words else "")


def _ttft(sending: Sending | None) -> list[Part]:
    if sending is None:
        return [(MISSING, "")]
    words = f"no first token in {WINDOW_S:.0f} s"
    if sending.first_tokens:
        words = f"p95 {seconds(sending.ttft_s_p95)} of {sending.first_tokens:,} in {WINDOW_S:.0f} s"
    if sending.waiting_s_max is not None:
        words += f"{DOT}longest wait now {seconds(sending.waiting_s_max)}"
    return [(words, "")]


def _replicas(now: Progress) -> list[Part]:
    parts: list[Part] = []
    for app, (ready, desired) in now.replicas.items():
        parts += [
            (DOT if parts else "", ""),
            (f"{app} {ready}/{desired} ready", "yellow" if ready < desired else ""),
        ]
    return parts or [(MISSING, "")]


def _faults(now: Progress) -> list[Part]:
    """Each fault: its state, and when it was injected."""
    parts: list[Part] = []
    for states in now.faults:
        last = states[-1]
        begun = next((one for one in states if one.state == "injected" and one is not last), None)
        words = f"{last.fault} {_ago(last, now)}" + (f"{DOT}{_ago(begun, now)}" if begun else "")
        parts += [(DOT if parts else "", ""), (words, COLOURS.get(last.state, ""))]
    return parts or [("not yet", "")]


def _ago(change: Change, now: Progress) -> str:
    return f"{change.state} {duration(now.t_s - change.t_s)} ago"
