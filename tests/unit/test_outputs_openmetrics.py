"""OpenMetrics: what a monitoring system reads of a run."""

from typing import Any

import pytest
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families as parse_older
from tests.unit.judged import ENDS, HOSTILE, document, hostile

from sealegs.outputs.openmetrics import openmetrics
from sealegs.outputs.text import clean

RUN = {"started_at": "2026-11-24T12:00:00Z", "seed": 8, "commit": "0123"}
Series = dict[str, list[tuple[dict[str, str], float]]]


def series(text: str) -> Series:
    """Name → labels and value of each sample, read by Prometheus' own parser."""
    families = openmetrics_parser.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    found: Series = {}
    for family in families:
        assert family.type == "gauge"
        found[family.name] = [(dict(one.labels), float(one.value)) for one in family.samples]
    return found


def by(found: Series, name: str, label: str) -> dict[str, float]:
    """Value of a label → value of the sample."""
    return {labels[label]: value for labels, value in found[name]}


@pytest.mark.parametrize(("case", "word"), ENDS.items())
def test_the_verdict_is_one_of_four_states(case: str, word: str) -> None:
    """Exactly one is set; the text ends as the format says, and readers of the older format take it."""
    text = openmetrics(document(case), RUN)
    found = series(text)

    assert text.endswith("\n# EOF\n")
    assert by(found, "sealegs_verdict", "verdict") == {
        one: float(one == word) for one in ("PASS", "FAIL", "INVALID", "INCONCLUSIVE")
    }
    assert sum(len(family.samples) for family in parse_older(text)) == sum(map(len, found.values()))


def test_a_seed_of_zero_is_a_seed() -> None:
    """What is known is told, also where it is nothing in a truth table; what is not is empty."""
    ((labels, _),) = series(openmetrics(document("pass"), {**RUN, "seed": 0, "commit": None}))[
        "sealegs_run_info"
    ]

    assert (labels["seed"], labels["commit"]) == ("0", "")


@pytest.mark.parametrize("case", ENDS)
def test_numbers_are_those_of_the_verdict(case: str) -> None:
    """Shares, bounds, targets, counts, violations and recovery, under the names of what they belong to."""
    judged: dict[str, Any] = document(case)
    found = series(openmetrics(judged, RUN))
    names = {"good_ratio": "good_share", "good_low_ratio": "bound_low", "good_high_ratio": "bound_high",
             "target_ratio": "target", "requests": "n", "effective_requests": "effective_n",
             "bad_requests": "bad"}  # fmt: skip

    for name, key in names.items():
        told = by(found, f"sealegs_objective_{name}", "objective")
        assert told == {one["name"]: one[key] for one in judged["objectives"]}, name
    assert by(found, "sealegs_invariant_violations", "invariant") == {
        one["name"]: one["violations"] for one in judged["invariants"]
    }
    assert by(found, "sealegs_counted", "what") == judged["counts"]
    assert by(found, "sealegs_check_ok", "check") == {
        one["name"]: one["ok"] for one in judged["validity"]["checks"]
    }
    recovery_s = judged["recovery"]["recovery_s"]
    seen = [value for _, value in found.get("sealegs_recovery_seconds", [])]
    assert seen == ([] if recovery_s is None else [recovery_s])


@pytest.mark.parametrize("case", ENDS)
def test_no_objective_of_an_invalid_run_is_green(case: str) -> None:
    """An alert on a claim's verdict sees INVALID, not the PASS that its numbers say."""
    judged = document(case)
    ended = series(openmetrics(judged, RUN))["sealegs_objective_verdict"]
    words = {labels["verdict"] for labels, value in ended if value}

    assert words == {"INVALID"} if not judged["validity"]["valid"] else "INVALID" not in words
    assert sum(value for _, value in ended) == len(judged["objectives"])


def test_what_is_unknown_is_absent() -> None:
    """No requests is no share, and no start no time: 0 would be a claim."""
    judged = document("pass")
    nothing = [{**one, "good_share": None} for one in judged["objectives"]]
    found = series(openmetrics(judged | {"objectives": nothing, "recovery": None}, {}))

    assert found.keys().isdisjoint(
        {
            "sealegs_objective_good_ratio",
            "sealegs_last_run_timestamp_seconds",
            "sealegs_recovery_seconds",
            "sealegs_recovery_verdict",
        }
    )


def test_the_time_of_the_run_is_there_to_alert_on() -> None:
    """Series outlive the runs that made them: their age must show."""
    found = series(openmetrics(document("pass"), RUN))

    assert found["sealegs_last_run_timestamp_seconds"] == [({"scenario": "gpu-node-drain"}, 1795521600.0)]


@pytest.mark.parametrize("case", ENDS)
def test_hostile_labels_come_out_as_they_went_in(case: str) -> None:
    """Quotes, line breaks and backslashes are escaped; only what no text can carry is replaced."""
    plain, evil = (series(openmetrics(one, RUN)) for one in (document(case), hostile(document(case))))

    assert {name: len(one) for name, one in evil.items()} == {name: len(one) for name, one in plain.items()}
    [(labels, _)] = evil["sealegs_run_info"]
    assert labels["scenario"] == "gpu-node-drain" + clean(HOSTILE).replace("\r", "\N{REPLACEMENT CHARACTER}")
