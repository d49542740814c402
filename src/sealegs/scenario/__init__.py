"""A scenario: the claim that a run turns into evidence. One TOML file, read into one frozen dataclass."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

from sealegs.errors import ScenarioError
from sealegs.judgement.stats import requests_min
from sealegs.scenario import claim, files, workload
from sealegs.scenario.claim import (
    INVARIANTS,
    NEEDS,
    PACED,
    Bound,
    Budget,
    Expect,
    Objective,
    Phases,
    Recovery,
)
from sealegs.scenario.toml_shape import Choice, Document, KeyPath, Range, build, open_document
from sealegs.scenario.workload import Traffic

Shape = TypeVar("Shape")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One claim, everything it takes to test it, and nothing about where.

    `mutant_file` says what was planted from outside its file; `stack_mutant` is the mutant in either case.
    The stack is ours, as an overlay has it, or where there is a `stack_name` one that its own file describes.
    """

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
    bounds: tuple[Bound, ...]
    recovery: Recovery | None
    budget: Budget | None
    expect: Expect
    mutant_file: Path | None = None
    stack_name: str | None = None
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Stack:
    overlay: str = ""
    name: str | None = None
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
    needs: tuple[Annotated[str, Choice(NEEDS)], ...] = ()
    stack: _Stack
    traffic: Traffic
    experiment: _Experiment | None = None
    phases: Phases
    objectives: tuple[Objective, ...] = ()
    invariants: tuple[Annotated[str, Choice(INVARIANTS)], ...] = ()
    bounds: tuple[Bound, ...] = ()
    recovery: Recovery | None = None
    budget: Budget | None = None
    expect: Expect = field(default_factory=Expect)


def load_scenario(path: Path, *, name: str | None = None, files_exist: bool = True) -> Scenario:
    """Read one scenario file. Paths in it start from the folder that holds ``scenarios/``.

    A run's copy is read with the scenario's `name` (else the file's), and without asking that the files it
    names still exist and are what they should be.

    Raises:
        ScenarioError: with every problem of the file, as ``file:line: problem``.
    """
    document, keys = open_document(path, root=root_of(path), files_exist=files_exist)
    file = None
    if not document.problems:
        keys = _with_rate(keys, document=document, is_copy=not files_exist)
        file = build(_File, keys, document=document)
        _cross_check(keys, document=document)
        for at, problem in files.problems(keys, root=document.root) if files_exist else ():
            document.report(at, problem)
    if file is None or document.problems:
        raise ScenarioError(document.in_order)
    return Scenario(
        name=name or path.stem,
        path=path,
        title=file.title,
        claim=file.claim,
        seed=file.seed,
        stack_overlay=file.stack.overlay,
        stack_mutant=file.stack.mutant,
        stack_name=file.stack.name,
        needs=file.needs,
        traffic=file.traffic,
        experiment=file.experiment.file if file.experiment else None,
        experiment_vars=file.experiment.vars if file.experiment else {},
        phases=file.phases,
        objectives=file.objectives,
        invariants=file.invariants,
        bounds=file.bounds,
        recovery=file.recovery,
        budget=file.budget,
        expect=file.expect,
    )


def root_of(path: Path) -> Path:
    """The folder around the ``scenarios/`` folder that a file is in; without one, the file's own folder."""
    path = path.resolve()
    return next((above.parent for above in path.parents if above.name == "scenarios"), path.parent)


def _with_rate(keys: dict[str, Any], *, document: Document, is_copy: bool) -> dict[str, Any]:
    """The keys with a rate beside a share of the knee: that share of 1, or in a run's copy what it was."""
    traffic = keys.get("traffic")
    if not isinstance(traffic, dict) or "knee_share" not in traffic:
        return keys
    if "rate_rps" in traffic and not is_copy:
        document.report(("traffic", "knee_share"), "rate_rps and knee_share: one of the two, not both")
    return {**keys, "traffic": {"rate_rps": traffic["knee_share"], **traffic}}


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
        if objective.sli in PACED and traffic and set(traffic.profiles) <= set(traffic.whole):
            no_pace = f"objective {objective.name!r}: what comes whole has no {objective.sli}"
            document.report((*at, "sli"), no_pace)
        if (objective.slice_s is None) != (objective.slice_share is None):
            document.report((*at,), f"objective {objective.name!r}: slice_s and slice_share go together")
        # What a share of the knee can decide is known once a run knows the knee: `sealegs.knee.too_small`.
        if phases and traffic and traffic.knee_share is None:
            longest_s = phases.longest_s(objective.phase)
            planned = longest_s / objective.slice_s if objective.slice_s else longest_s * traffic.rate_rps_min
            _check_decidable(objective, planned, document=document, at=at)
    if not any(keys.get(claims) for claims in ("objectives", "invariants", "bounds")):
        document.report((), "claims nothing: give it an objective, an invariant or a bound")
    _check_bounds(keys, names, traffic, document=document)
    _check_stack(keys.get("stack"), document=document)
    _check_experiment(keys, document=document)
    _check_after_fault(keys, phases, document=document, quiet=quiet)


def _check_after_fault(
    keys: Mapping[str, Any], phases: Phases | None, *, document: Document, quiet: Document
) -> None:
    """Note a recovery that has no room to be seen, and a budget that nothing could spend."""
    recovery, budget = _part(Recovery, keys, "recovery", quiet), _part(Budget, keys, "budget", quiet)
    if recovery and phases and recovery.slice_s * recovery.slices > phases.recovery_s:
        needed_s = recovery.slice_s * recovery.slices
        document.report(
            ("recovery", "slices"),
            f"{recovery.slices} slices of {recovery.slice_s:g} s need {needed_s:g} s, "
            f"recovery has {phases.recovery_s:g} s",
        )
    window_s = phases.fault_s_max + phases.recovery_s if phases else 0.0
    if budget and phases and window_s <= budget.spent_max * budget.budget_s:
        document.report(
            ("budget", "spent_max"),
            f"{budget.spent_max:g} of a budget of {budget.budget_s:.0f} s cannot be spent in the "
            f"{window_s:g} s of fault and recovery",
        )


def _check_stack(stack: object, *, document: Document) -> None:
    """Note a stack that is none or two, and one that its name would lead astray."""
    if not isinstance(stack, dict):
        return
    name = stack.get("name")
    if bool(name) == bool(stack.get("overlay")):
        document.report(("stack",), "give the stack an overlay of ours, or the name of one of yours")
    elif name and stack.get("mutant"):
        document.report(("stack", "mutant"), "mutants are planted in our stack only")
    elif isinstance(name, str) and Path("stack", name).resolve().parent != Path("stack").resolve():
        document.report(("stack", "name"), f"'stack.name' must be a folder of stack/, is {name!r}")


def _check_bounds(
    keys: Mapping[str, Any], names: set[str], traffic: Traffic | None, *, document: Document
) -> None:
    """Note bounds that are wrong as a whole, or whose name is taken by another claim."""
    entries = keys.get("bounds")
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        at: KeyPath = ("bounds", index)
        bound = build(Bound, entry, document=Document(document.path, document.root, files_exist=False))
        if bound is None:
            continue
        if bound.name in names:
            document.report((*at, "name"), f"two claims are named {bound.name!r}")
        names.add(bound.name)
        for place, problem in claim.problems(bound, given=entry.keys(), traffic=traffic):
            document.report((*at, *place), f"bound {bound.name!r}: {problem}")


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
    experiment, objectives = keys.get("experiment"), keys.get("objectives", [])
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
            f"{objective.confidence:g} needs {needed} {'slices' if objective.slice_s else 'requests'}, "
            f"phase {objective.phase!r} has about {planned:.0f}",
        )


def _part(shape: type[Shape], keys: Mapping[str, Any], name: str, quiet: Document) -> Shape | None:
    """One table of the file if nothing in it is wrong."""
    table = keys.get(name)
    return build(shape, table, document=quiet) if isinstance(table, dict) else None
