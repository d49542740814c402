"""OpenMetrics text of one run, all of it gauges.

Info and state sets are gauges in the shape of such: a textfile collector and a Pushgateway read the older
format, refuse types that it lacks, and take this. Their series stay until they are replaced: alert on the age
of ``sealegs_last_run_timestamp_seconds``, or a stale green stands for ever. What an INVALID run silences has
the verdict INVALID here too.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sealegs.judgement.verdict import WORST_FIRST
from sealegs.outputs.claims import Claim, Document, claims
from sealegs.outputs.text import clean

Labels = dict[str, object]
Sample = tuple[Labels, float | int | None]


def openmetrics(document: Document, run: Mapping[str, Any]) -> str:
    """The verdict in ``document``, of the run that ``run.json`` describes, as gauges."""
    return "\n".join([*_families(document, run), "# EOF"]) + "\n"


def _families(document: Document, run: Mapping[str, Any]) -> Iterator[str]:
    """Every family, whole, one after the other."""
    of: Labels = {"scenario": document["scenario"]}
    known = {key: "" if run.get(key) is None else run[key] for key in ("seed", "commit", "started_at")}
    about: Labels = {**of, "run_id": document["run_id"], **known}
    yield from _gauge("sealegs_run_info", "The run that this describes.", [(about, 1)])
    yield from _states("sealegs_verdict", "How the run ended.", [(of, document["verdict"])])
    yield from _gauge(
        "sealegs_last_run_timestamp_seconds", "When the run started.", [(of, _unix_s(run.get("started_at")))]
    )
    yield from _claimed(document, of)
    checks = [({**of, "check": one["name"]}, int(one["ok"])) for one in document["validity"]["checks"]]
    yield from _gauge("sealegs_check_ok", "Whether a check of the evidence held.", checks)
    counts = [({**of, "what": what}, number) for what, number in document["counts"].items()]
    yield from _gauge("sealegs_counted", "The run in whole numbers.", counts)


def _claimed(document: Document, of: Labels) -> Iterator[str]:
    """What the scenario claimed."""
    found = claims(document)
    objectives = [
        ({**of, "objective": one["name"], "phase": one["phase"], "sli": one["sli"]}, one)
        for one in document["objectives"]
    ]
    told = {
        "good_ratio": ("good_share", "Share of good requests."),
        "good_low_ratio": ("bound_low", "Lower bound of the share of good requests."),
        "good_high_ratio": ("bound_high", "Upper bound of the share of good requests."),
        "target_ratio": ("target", "Share of good requests that was claimed."),
        "requests": ("n", "Requests, or slices of time, that count for the objective."),
        "effective_requests": ("effective_n", "How many independent ones those are worth."),
        "bad_requests": ("bad", "Those of them that were bad."),
    }
    for name, (key, said) in told.items():
        yield from _gauge(
            f"sealegs_objective_{name}", said, [(labels, one[key]) for labels, one in objectives]
        )
    yield from _verdicts("objective", found, of)
    violations = [({**of, "invariant": one["name"]}, one["violations"]) for one in document["invariants"]]
    yield from _gauge("sealegs_invariant_violations", "Counter-examples that were seen.", violations)
    yield from _verdicts("invariant", found, of)
    values = [
        ({**of, "bound": one["name"], "measure": one["measure"]}, one["value"]) for one in document["bounds"]
    ]
    yield from _gauge("sealegs_bound_value", "What a bound is about; absent when not measured.", values)
    yield from _verdicts("bound", found, of)
    recovery = document["recovery"] or {"recovery_s": None, "limit_s": None}
    yield from _gauge(
        "sealegs_recovery_seconds",
        "From injection until all was good; absent when that was not seen.",
        [(of, recovery["recovery_s"])],
    )
    yield from _gauge("sealegs_recovery_limit_seconds", "What was claimed.", [(of, recovery["limit_s"])])
    yield from _verdicts("recovery", found, of)
    budget = document["budget"] or {"spent": None, "spent_max": None}
    spent = "Error budget of the whole period that fault and recovery spent."
    yield from _gauge("sealegs_budget_spent_ratio", spent, [(of, budget["spent"])])
    yield from _gauge("sealegs_budget_spent_max_ratio", "What was claimed.", [(of, budget["spent_max"])])
    yield from _verdicts("budget", found, of)
    causes = [({**of, "cause": one["cause"]}, one["count"]) for one in document["losses"]["causes"]]
    yield from _gauge("sealegs_lost_requests", "Requests not answered whole and right, by cause.", causes)


def _verdicts(kind: str, found: Iterable[Claim], of: Labels) -> Iterator[str]:
    """How the claims of one kind ended, as they count."""
    ended = [({**of, kind: one.name}, one.word) for one in found if one.kind == kind]
    yield from _states(f"sealegs_{kind}_verdict", f"How each {kind} ended.", ended)


def _states(name: str, said: str, ended: Iterable[tuple[Labels, str]]) -> Iterator[str]:
    """A state set: 1 for the word that it is, 0 for the others."""
    yield from _gauge(
        name,
        said,
        [({**labels, "verdict": one}, int(one == word)) for labels, word in ended for one in WORST_FIRST],
    )


def _gauge(name: str, said: str, samples: Iterable[Sample]) -> Iterator[str]:
    """One family; without a sample there is nothing of it, and an unknown value is absent, never 0."""
    known = [(labels, value) for labels, value in samples if value is not None]
    if not known:
        return
    yield f"# TYPE {name} gauge"
    if unit := next((unit for unit in ("seconds", "ratio") if name.endswith(f"_{unit}")), ""):
        yield f"# UNIT {name} {unit}"
    yield f"# HELP {name} {said}"
    for labels, value in known:
        written = ",".join(f'{key}="{_label(str(one))}"' for key, one in labels.items())
        yield f"{name}{{{written}}} {value!r}"


def _label(value: str) -> str:
    """A label's value, escaped."""
    flat = clean(value).replace("\r", "\N{REPLACEMENT CHARACTER}")
    return flat.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _unix_s(started_at: str | None) -> float | None:
    """A moment as a Unix time; None when it is not known."""
    try:
        return datetime.fromisoformat(started_at).timestamp() if started_at else None
    except ValueError:
        return None
