"""OpenSLO v1 documents of a scenario's objectives, for tools that keep service levels elsewhere.

What OpenSLO has no word for stays with the scenario: phase, confidence and slices of seconds (its shortest
are minutes) are written beside the query.
Invariants are left out: what one counter-example refutes is no service level. The documents are JSON, which
every reader of YAML takes.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from sealegs.outputs.text import clean
from sealegs.scenario import Scenario
from sealegs.scenario.claim import Objective
from sealegs.scenario.workload import ANSWERED

NAME_MAX = 63  # of an object, by RFC 1123
DESCRIPTION_MAX = 1050
# What a limit is of, in columns of a request's row.
TIMES = {
    "ttft": "first_token_s - intended_s",
    "tpot": "(last_token_s - first_token_s) / (tokens_received - 1)",
    "gap": "gap_s_max",
    "e2e": "end_s - intended_s",
}
# Over how many runs is not a run's to say; OpenSLO asks for one window, and this is the usual one.
WINDOW = {"duration": "28d", "isRolling": True}


def openslo(scenario: Scenario) -> str:
    """A Service and an SLO for each objective, each a YAML document."""
    return "".join(f"---\n{_json(one)}\n" for one in _documents(scenario))


def _documents(scenario: Scenario) -> Iterator[dict[str, Any]]:
    """Every document in order."""
    service = _slug(scenario.name)
    about = {"description": clean(scenario.claim)[:DESCRIPTION_MAX]}
    yield _document("Service", service, title=scenario.title, spec=about)
    for number, one in enumerate(scenario.objectives):
        # Two names can come out alike: the number keeps them apart.
        name = _slug(f"{number}-{scenario.name}-{one.name}")
        spec = {
            **about,
            "service": service,
            "indicator": {"metadata": {"name": _slug(f"{number}-{one.name}")}, "spec": _indicator(one)},
            "timeWindow": [WINDOW],
            "budgetingMethod": "Occurrences",
            "objectives": [{"displayName": clean(one.name), "target": one.target}],
        }
        yield _document("SLO", name, title=one.name, spec=spec)


def _document(kind: str, name: str, *, title: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "displayName": clean(title)}
    return {"apiVersion": "openslo/v1", "kind": kind, "metadata": metadata, "spec": spec}


def _indicator(objective: Objective) -> dict[str, Any]:
    """Good of all, over the rows of ``schedule.parquet`` and ``requests.parquet``."""
    good = f"outcome in {list(ANSWERED)}"
    if objective.limit_s is not None:
        good += f" and {TIMES[objective.sli]} <= {objective.limit_s:g}"
    phase: dict[str, Any] = {"phase": objective.phase, "confidence": objective.confidence}
    if objective.slice_s is not None:
        phase |= {"slice_s": objective.slice_s, "slice_share": objective.slice_share}
    told = {"good": {"where": good, **phase}, "total": {"where": "intended", **phase}}
    sources = {name: {"metricSource": {"type": "request-log", "spec": spec}} for name, spec in told.items()}
    # A share of one window, not a count that only grows.
    return {"ratioMetric": {"counter": False, **sources}}


def _slug(text: str) -> str:
    """A name as RFC 1123 has it: lower case, digits and hyphens."""
    return re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")[:NAME_MAX].strip("-") or "unnamed"


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
