"""How far a run is, by the files of its folder."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealegs.errors import ScenarioError
from sealegs.evidence import read_json
from sealegs.mutant import asked_of
from sealegs.scenario.claim import Phases
from sealegs.traffic.load import status_of
from sealegs.traffic.quantile import quantile_of
from sealegs.waiting import now_ns

OPENING, END = "opening", "end"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A phase began, or a fault came into another state.

    Attributes:
        t_s: when, in seconds since run start.
        fault: which fault; empty for a phase.
        state: the fault's state, or the phase's name.
        detail: what the fault said of it.
    """

    t_s: float
    fault: str
    state: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Sending:
    """What load last said of itself.

    Attributes:
        outcomes: outcome → how many requests ended so.
        first_tokens: how many came in the window that `ttft_s_p95` is of.
        waiting_s_max: how long the request that waits longest for its first token does; None if none waits.
    """

    planned: int
    sent: int
    in_flight: int
    outcomes: Mapping[str, int]
    ttft_s_p95: float | None
    first_tokens: int
    waiting_s_max: float | None


@dataclass(frozen=True, kw_only=True)
class Progress:
    """A run at one moment; times are seconds since run start.

    Attributes:
        phases: their planned lengths.
        disturbed: whether the scenario has an experiment.
        changes: what has changed so far, in order.
        sending: None before all load processes have said something.
        replicas: app → ready and desired pods, by the recorder's last sample.
    """

    t_s: float
    phases: Phases
    disturbed: bool
    changes: tuple[Change, ...] = ()
    sending: Sending | None = None
    replicas: Mapping[str, tuple[int, int]]

    @property
    def phase(self) -> Change:
        """The phase that the run is in, and since when."""
        begun = [one for one in self.changes if not one.fault]
        return begun[-1] if begun else Change(t_s=0.0, fault="", state=OPENING)

    @property
    def load_end_s(self) -> float | None:
        """When the schedule ends; None before load has begun."""
        begun_s = next((one.t_s for one in self.changes if not one.fault), None)
        return None if begun_s is None else begun_s + self.phases.duration_s

    @property
    def phase_end_s(self) -> float | None:
        """When this phase ends at the latest; None where nobody knows."""
        lengths_s = {
            "warmup": self.phases.warmup_s,
            "baseline": self.phases.baseline_s,
            "fault": self.phases.fault_s_max,
        }
        if self.phase.state == "recovery":
            return self.load_end_s
        length_s = lengths_s.get(self.phase.state)
        return None if length_s is None else self.phase.t_s + length_s

    @property
    def faults(self) -> tuple[tuple[Change, ...], ...]:
        """The states of each fault so far, in order; faults in the order in which they came."""
        names = dict.fromkeys(one.fault for one in self.changes if one.fault)
        return tuple(tuple(one for one in self.changes if one.fault == name) for name in names)


class Reader:
    """Reads a run's folder while it grows; each look costs what is new in it."""

    def __init__(self, run_dir: Path) -> None:
        """Begin to read.

        Raises:
            ScenarioError: the folder is not a run's: it has no readable ``run.json`` or ``scenario.toml``.
        """
        run = read_json(run_dir / "run.json")
        if run is None:
            raise ScenarioError([f"{run_dir / 'run.json'}:1: absent or not readable: not a run's folder"])
        self._run_dir = run_dir
        self._zero_ns = int(run["started_monotonic_ns"])
        self._scenario = asked_of(run_dir, run)
        self._timeline = Growing(run_dir / "timeline.jsonl")
        self._samples = Growing(run_dir / "samples.jsonl")
        self._changes: tuple[Change, ...] = ()
        self._replicas: dict[str, tuple[int, int]] = {}

    def look(self) -> Progress:
        """How far the run is now."""
        self._changes += tuple(_changes(self._timeline.records()))
        for sample in self._samples.records():
            ready = sample["ready"]
            self._replicas = {app: (ready[app], wanted) for app, wanted in sample["desired"].items()}
        status = status_of(self._run_dir, processes=self._scenario.traffic.processes)
        return Progress(
            t_s=(now_ns() - self._zero_ns) / 1e9,
            phases=self._scenario.phases,
            disturbed=self._scenario.experiment is not None,
            changes=self._changes,
            sending=None if status is None else _sending(status),
            replicas=self._replicas,
        )


class Growing:
    """A file of JSON lines that others append to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_bytes = 0

    def records(self) -> Iterator[dict[str, Any]]:
        """Records that are new since one asked last. A line that is not whole yet waits for its end."""
        if not self._path.exists():
            return
        with self._path.open("rb") as lines:
            lines.seek(self._read_bytes)
            for line in lines:
                if not line.endswith(b"\n"):
                    return
                self._read_bytes += len(line)
                # Who was killed within a line left one that is none.
                with suppress(ValueError):
                    yield json.loads(line)


def _changes(records: Iterator[Mapping[str, Any]]) -> Iterator[Change]:
    """What of a timeline's records says how far the run is."""
    for one in records:
        if one["kind"] == "phase":
            yield Change(t_s=one["t_s"], fault="", state=one["name"])
        elif one["kind"] == "fault":
            yield Change(t_s=one["t_s"], fault=one["fault"], state=one["state"], detail=one["detail"])


def _sending(status: Mapping[str, Any]) -> Sending:
    """``load-status.json``, of several processes taken together."""
    recent = status["ttft_s_recent"].items()
    ttfts_s = sorted(float(ttft_s) for ttft_s, count in recent for _ in range(count))
    return Sending(
        planned=status["planned"],
        sent=status["sent"],
        in_flight=status["in_flight"],
        outcomes=status["outcomes"],
        ttft_s_p95=quantile_of(ttfts_s, 0.95),
        first_tokens=len(ttfts_s),
        waiting_s_max=status["waiting_s_max"],
    )
