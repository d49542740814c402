"""What a scenario claims: phases, objectives, recovery and error budget, as its file says them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from sealegs.scenario.toml_shape import Choice, KeyPath, Range
from sealegs.scenario.workload import Count, Positive, Traffic

PHASES = ("baseline", "fault", "recovery", "run")
SLIS = ("success", "ttft", "tpot", "gap", "e2e")
# Of these only a stream can have one.
PACED = ("tpot", "gap")
INVARIANTS = ("no-truncated-stream", "no-foreign-token", "pdb-honoured")
# The parts of a stack as the evidence names them, whatever yours calls them.
APPS = ("llm-inference", "llm-api", "istio-ingressgateway")
# Those whose proxies send requests on, and are asked what they know of them.
OBSERVERS = APPS[1:]
QUALIFIERS = ("app", "phase", "model_type", "profile", "alert", "observer")
# What a bound may be about, and its qualifiers; `sealegs.judgement.measures` says how each is measured.
MEASURES: Mapping[str, tuple[str, ...]] = {
    "ready-min": ("app", "phase"),
    "restarts": ("app", "phase"),
    "goodput-rps": ("phase",),
    "refusal-s-p99": ("phase",),
    "failed-otherwise": ("phase",),
    "normal-again-s": ("phase",),
    "ejected-max": ("phase", "observer"),
    "errors-until-ejected": (),
    "errors-until-ejected-min": (),
    "ejected-s": (),
    "share-while-ejected": (),
    "overflow": ("phase",),
    "attempts-max": ("phase",),
    "lasted-s-max": ("phase", "model_type", "profile"),
    "answered-s-max": ("phase", "model_type", "profile"),
    "timeout-s-min": ("phase", "model_type", "profile"),
    "silent-s-max": ("phase", "model_type", "profile"),
    "longest-drained-stream-s": (),
    "lost-beyond-target": (),
    "unharmed-after-s": (),
    "landed-s": (),
    "ready-again-s": (),
    "target-gone-s": (),
    "evictions-refused": ("app",),
    "target-share": (),
    "reload-s": (),
    "autoscaler-moved": ("app", "phase"),
    "autoscaler-blind-s": ("app", "phase"),
    "autoscaler-wanted-more-s": ("app", "phase"),
    "autoscaler-flaps": ("app", "phase"),
    "new-pod-scheduled-s": ("app", "phase"),
    "new-pod-started-s": ("app", "phase"),
    "new-pod-loaded-s": ("app", "phase"),
    "new-pod-ready-s": ("app", "phase"),
    "new-pod-routable-s": ("app", "phase"),
    "new-pod-served-s": ("app", "phase"),
    "unscheduled-s-max": ("app", "phase"),
    "pods-left": ("app", "phase"),
    "leaving-max": ("app", "phase"),
    "lost-on-leaving": ("app", "phase"),
    "alert-after-s": ("alert",),
    "weight-p-value": (),
    "after-rollback": (),
    "cut-by-rollback": (),
    "unserved": ("phase",),
}
NEEDS = ("mesh", "gpus", "budgets", "metrics")
VERDICTS = ("PASS", "FAIL", "INCONCLUSIVE", "INVALID")

DAY_S = 86_400.0

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
    """At least `target` of the requests intended in `phase` are good: answered, and within any `limit_s`.

    With `slice_s` it is said of slices of time instead of requests, and a slice is good when at least
    `slice_share` of its requests are.
    """

    name: str
    sli: Annotated[str, Choice(SLIS)]
    phase: Annotated[str, Choice(PHASES)]
    limit_s: Positive | None = None
    slice_s: Positive | None = None
    slice_share: Share | None = None
    target: Share
    confidence: Annotated[float, Range(least=0.5, below=1)] = 0.99


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A number that the run measured is at least `at_least` and at most `at_most`.

    `app` is whose pods it is about, where the measure is about pods, `phase` when, where it is about a time,
    `model_type` and `profile` which requests, where it is about those that ask for one model or are of one
    profile, `alert` which alert, where it is about one, `observer` whose proxies are asked, where it is about
    what proxies say: all of them without one.
    """

    name: str
    measure: Annotated[str, Choice(tuple(MEASURES))]
    app: Annotated[str, Choice(APPS)] = "llm-inference"
    phase: Annotated[str, Choice(PHASES)] = "run"
    model_type: str = ""
    profile: str = ""
    alert: str = ""
    observer: Annotated[str, Choice(OBSERVERS)] = ""
    at_least: float | None = None
    at_most: float | None = None


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
class Budget:
    """Fault and recovery together spend at most `spent_max` of the error budget.

    The budget is the share 1 - `target` of `period_d` days in which everything may fail.
    """

    target: Share
    period_d: Positive = 28.0
    spent_max: Share

    @property
    def budget_s(self) -> float:
        """How long everything may fail in a period."""
        return (1 - self.target) * self.period_d * DAY_S


@dataclass(frozen=True, kw_only=True)
class Expect:
    """How a run of this scenario must end; anything but PASS makes it a negative control."""

    verdict: Annotated[str, Choice(VERDICTS)] = "PASS"
    reason: str = ""


def problems(
    bound: Bound, *, given: Collection[str], traffic: Traffic | None
) -> Iterator[tuple[KeyPath, str]]:
    """What is wrong with a bound whose every key is right by itself: where, and in words.

    `given` are the keys that its file has; `traffic` is what is sent, where that is known.
    """
    if bound.at_least is None and bound.at_most is None:
        yield (), "limits nothing: give it at_least or at_most"
    elif bound.at_least is not None and bound.at_most is not None and bound.at_least > bound.at_most:
        yield (), "at_least is more than at_most"
    read = MEASURES[bound.measure]
    for key in QUALIFIERS:
        if key in given and key not in read:
            yield (
                (key,),
                f"{bound.measure} does not read {key!r}; of its kind it reads {', '.join(read) or 'none'}",
            )
    if "alert" in read and not bound.alert:
        yield (), f"{bound.measure} is about an 'alert': name it"
    sent = {"profile": traffic.profiles, "model_type": traffic.asked_models} if traffic else {}
    for key, names in sent.items():
        if getattr(bound, key) not in {"", *names}:
            yield (key,), f"unknown {getattr(bound, key)!r}; [traffic] sends {', '.join(names)}"
