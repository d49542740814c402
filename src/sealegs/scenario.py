"""A scenario: the claim that a run turns into evidence. One TOML file, read into one frozen dataclass."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

from sealegs import workload
from sealegs.errors import ScenarioError
from sealegs.stats import requests_min
from sealegs.toml_shape import Choice, Document, KeyPath, Range, build, open_document
from sealegs.workload import Count, Positive, Traffic

PHASES = ("baseline", "fault", "recovery", "run")
SLIS = ("success", "ttft")
INVARIANTS = ("no-truncated-stream", "no-foreign-token", "pdb-honoured")
VERDICTS = ("PASS", "FAIL", "INCONCLUSIVE", "INVALID")

Shape = TypeVar("Shape")
Share: TypeAlias = Annotated[float, Range(above=0, below=1)]


@dataclass(frozen=True, kw_only=True)
class Phases:
    """Planned lengths. Load lasts exactly their sum; recovery begins when the fault is gone."""

    warmup_s: Annotated[float, Range(least=0)]
    baseline_s: Positive
    fault_s_max: Positive
    recovery_s: Positive

    @property
    def duration_s(self) -> float:
        """How long load lasts."""
        return self.warmup_s + self.baseline_s + self.fault_s_max + self.recovery_s

    def longest_s(self, phase: str) -> float:
        """The most time that requests of a phase can be due in; ``run`` is everything after warm-up."""
        measured_s = self.baseline_s + self.fault_s_max + self.recovery_s
        # A fault that ends early leaves its time to recovery.
        recovery_s = self.fault_s_max + self.recovery_s
        return {
            "baseline": self.baseline_s,
            "fault": self.fault_s_max,
            "recovery": recovery_s,
            "run": measured_s,
        }[phase]


@dataclass(frozen=True, kw_only=True)
class Objective:
    """At least `target` of the requests intended in `phase` are good: answered, and within any `limit_s`."""

    name: str
    sli: Annotated[str, Choice(SLIS)]
    phase: Annotated[str, Choice(PHASES)]
    limit_s: Positive | None = None
    target: Share
    confidence: Annotated[float, Range(least=0.5, below=1)] = 0.99


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """Recovered: from here on every slice is good, beginning with `slices` of them in a row.

    A slice of `slice_s` is good when at least `good_share` of its intended requests were answered, with their
    first token within `ttft_limit_s`.
    """

    limit_s: Positive
    ttft_limit_s: Positive
    slice_s: Positive = 5.0
    slices: Count = 3
    good_share: Share = 0.95


@dataclass(frozen=True, kw_only=True)
class Expect:
    """How a run of this scenario must end; anything but PASS makes it a negative control."""

    verdict: Annotated[str, Choice(VERDICTS)] = "PASS"
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One claim, everything it takes to test it, and nothing about where."""

    name: str
    path: Path
    title: str
    claim: str
    seed: int
    stack_overlay: str
    stack_mutant: str | None
    traffic: Traffic
    experiment: Path | None
    experiment_vars: Mapping[str, str | int | float | bool]
    phases: Phases
    objectives: tuple[Objective, ...]
    invariants: tuple[str, ...]
    recovery: Recovery | None
    expect: Expect


@dataclass(frozen=True, kw_only=True)
class _Stack:
    overlay: str
    mutant: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Experiment:
    file: Path
    vars: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class _File:
    """The keys of a scenario's file."""

    title: str
    claim: str
    seed: Annotated[int, Range(least=0)]
    stack: _Stack
    traffic: Traffic
    experiment: _Experiment | None = None
    phases: Phases
    objectives: tuple[Objective, ...]
    invariants: tuple[Annotated[str, Choice(INVARIANTS)], ...] = ()
    recovery: Recovery | None = None
    expect: Expect = Expect()


def load_scenario(path: Path, *, name: str | None = None, files_exist: bool = True) -> Scenario:
    """Read one scenario file. Paths in it start from the folder that holds ``scenarios/``.

    A run's copy is read with the scenario's `name` (else the file's), and without asking that the files it
    names still exist.

    Raises:
        ScenarioError: with every problem of the file, as ``file:line: problem``.
    """
    document, keys = open_document(path, root=root_of(path), files_exist=files_exist)
    file = None
    if not document.problems:
        file = build(_File, keys, document=document)
        _cross_check(keys, document=document)
    if file is None or document.problems:
        raise ScenarioError(sorted(document.problems, key=_line))
    return Scenario(
        name=name or path.stem,
        path=path,
        title=file.title,
        claim=file.claim,
        seed=file.seed,
        stack_overlay=file.stack.overlay,
        stack_mutant=file.stack.mutant,
        traffic=file.traffic,
        experiment=file.experiment.file if file.experiment else None,
        experiment_vars=file.experiment.vars if file.experiment else {},
        phases=file.phases,
        objectives=file.objectives,
        invariants=file.invariants,
        recovery=file.recovery,
        expect=file.expect,
    )


def root_of(path: Path) -> Path:
    """The folder around the ``scenarios/`` folder that a file is in; without one, the file's own folder."""
    path = path.resolve()
    return next((above.parent for above in path.parents if above.name == "scenarios"), path.parent)


def _line(problem: str) -> tuple[str, int]:
    """Sort key of a problem."""
    file, line, _ = problem.split(":", 2)
    return file, int(line)


def _cross_check(keys: Mapping[str, Any], *, document: Document) -> None:
    """Note what no single key can show. Parts that are wrong by themselves are left out of it."""
    quiet = Document(document.path, document.root, files_exist=False)
    phases = _part(Phases, keys, "phases", quiet)
    traffic = _part(Traffic, keys, "traffic", quiet)
    if phases and traffic:
        _check_traffic(traffic, keys, duration_s=phases.duration_s, document=document)
    entries = keys.get("objectives")
    names: set[str] = set()
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        at: KeyPath = ("objectives", index)
        objective = build(Objective, entry, document=quiet) if isinstance(entry, dict) else None
        if objective is None:
            continue
        if objective.name in names:
            document.report((*at, "name"), f"two objectives are named {objective.name!r}")
        names.add(objective.name)
        if (objective.sli == "success") != (objective.limit_s is None):
            need = "takes no limit_s" if objective.sli == "success" else "needs a limit_s"
            document.report((*at, "sli"), f"objective {objective.name!r}: sli {objective.sli!r} {need}")
        if phases and traffic:
            planned = phases.longest_s(objective.phase) * traffic.rate_rps_min
            _check_decidable(objective, planned, document=document, at=at)
    if not entries and not keys.get("invariants"):
        document.report((), "claims nothing: give it an objective or an invariant")
    _check_experiment(keys, document=document)
    recovery = _part(Recovery, keys, "recovery", quiet)
    if recovery and phases and recovery.slice_s * recovery.slices > phases.recovery_s:
        needed_s = recovery.slice_s * recovery.slices
        document.report(
            ("recovery", "slices"),
            f"{recovery.slices} slices of {recovery.slice_s:g} s need {needed_s:g} s, "
            f"recovery has {phases.recovery_s:g} s",
        )


def _check_traffic(
    traffic: Traffic, keys: Mapping[str, Any], *, duration_s: float, document: Document
) -> None:
    """Note what is wrong with traffic as a whole, and what cannot be claimed of it."""
    for place, problem in workload.problems(traffic, duration_s=duration_s):
        document.report(("traffic", *place), problem)
    if traffic.tokens != "derived" and "no-foreign-token" in keys.get("invariants", ()):
        document.report(
            ("invariants",), "no-foreign-token needs traffic.tokens = 'derived': texts known beforehand"
        )


def _check_experiment(keys: Mapping[str, Any], *, document: Document) -> None:
    """Note what is wrong with a scenario that has a fault in it."""
    experiment, objectives = keys.get("experiment"), keys.get("objectives")
    if not isinstance(experiment, dict) or not isinstance(objectives, list):
        return
    healthy = {"sli": "success", "phase": "baseline"}
    if not any(isinstance(one, dict) and one.items() >= healthy.items() for one in objectives):
        document.report(
            ("experiment",),
            "a fault needs a success objective in the baseline: what was broken before would be blamed on it",
        )
    variables = experiment.get("vars", {})
    for key, value in variables.items() if isinstance(variables, dict) else ():
        if not isinstance(value, str | int | float | bool):
            document.report(
                ("experiment", "vars", key), f"'experiment.vars.{key}' must be text, a number or a bool"
            )


def _check_decidable(objective: Objective, planned: float, *, document: Document, at: KeyPath) -> None:
    """Note an objective that no run of the planned length could pass."""
    needed = requests_min(target=objective.target, confidence=objective.confidence)
    if planned < needed:
        document.report(
            (*at, "target"),
            f"objective {objective.name!r} cannot be decided: {objective.target:g} at confidence "
            f"{objective.confidence:g} needs {needed} requests, "
            f"phase {objective.phase!r} has about {planned:.0f}",
        )


def _part(shape: type[Shape], keys: Mapping[str, Any], name: str, quiet: Document) -> Shape | None:
    """One table of the file if nothing in it is wrong."""
    table = keys.get(name)
    return build(shape, table, document=quiet) if isinstance(table, dict) else None
