"""OpenSLO: a scenario's objectives for other tools."""

import json
import re
from dataclasses import replace
from typing import Any

import yaml
from tests.unit.judged import HOSTILE, reading

from sealegs.outputs.openslo import openslo
from sealegs.outputs.text import clean
from sealegs.scenario import Scenario

RFC_1123 = re.compile("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def scenario() -> Scenario:
    """The scenario of the made-up runs."""
    return reading("pass").facts.scenario


def documents(asked: Scenario) -> list[dict[str, Any]]:
    """Its documents, read as YAML, which must be what a reader of JSON gets."""
    text = openslo(asked)
    read = list(yaml.safe_load_all(text))
    assert read == [json.loads(one) for one in text.split("---\n")[1:]]
    return read


def test_every_objective_is_a_level_of_one_service() -> None:
    """One Service, then an SLO for each objective with its target, by OpenSLO v1's required keys."""
    service, *levels = documents(scenario())

    assert (service["kind"], service["metadata"]["name"]) == ("Service", "gpu-node-drain")
    assert {one["apiVersion"] for one in (service, *levels)} == {"openslo/v1"}
    assert [one["kind"] for one in levels] == ["SLO"] * len(scenario().objectives)
    for level, objective in zip(levels, scenario().objectives, strict=True):
        spec = level["spec"]
        assert (spec["service"], spec["budgetingMethod"]) == ("gpu-node-drain", "Occurrences")
        assert spec["objectives"] == [{"displayName": objective.name, "target": objective.target}]
        assert 0 < objective.target < 1
        assert len(spec["timeWindow"]) == 1


def test_an_indicator_is_a_ratio_over_the_request_log() -> None:
    """Good and total come from the request log; the limit is in the query, counted from the intended time."""
    ratios = {
        one["metadata"]["displayName"]: one["spec"]["indicator"]["spec"]["ratioMetric"]
        for one in documents(scenario())[1:]
    }

    for ratio in ratios.values():
        assert ratio.keys() == {"counter", "good", "total"}
        assert {ratio[key]["metricSource"]["type"] for key in ("good", "total")} == {"request-log"}
    where = {name: one["good"]["metricSource"]["spec"]["where"] for name, one in ratios.items()}
    assert where["success-fault"] == "outcome in ['ok', 'cancelled']"
    assert where["ttft-fault"] == "outcome in ['ok', 'cancelled'] and first_token_s - intended_s <= 2.5"


def test_hostile_names_stay_names() -> None:
    """Any text is shown as it is; objects are named by RFC 1123, and no two alike."""
    objectives = [
        replace(one, name=name)
        for one in scenario().objectives
        for name in (HOSTILE, "é", "TTFT of Users", "x" * 99)
    ]
    evil = replace(scenario(), name=HOSTILE, title=HOSTILE, claim=HOSTILE * 50, objectives=tuple(objectives))
    read = documents(evil)
    names = [one["metadata"]["name"] for one in read]

    assert len(set(names)) == len(names)
    assert all(RFC_1123.fullmatch(name) for name in names)
    assert names[0] == "b-amp-error-title-x-y-0a-n-31m-a"
    assert sum(name.endswith("-ttft-of-users") for name in names) == len(scenario().objectives)
    assert read[0]["metadata"]["displayName"] == clean(HOSTILE)
    assert all(len(one["spec"]["description"]) <= 1050 for one in read)
