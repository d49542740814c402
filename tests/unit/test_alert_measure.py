"""How soon an alert fired: asked of Prometheus at the end of a run, and measured from injection."""

from pathlib import Path
from typing import Any

import pytest
from tests.golden.case import INJECTED_S, PODS, VICTIM
from tests.golden.make_run import made_facts
from tests.unit.changes import with_record
from tests.unit.recording import in_a_hurry, recording, small_cluster

from sealegs import evidence
from sealegs.judgement.facts import fault_story
from sealegs.judgement.fates import fates_of
from sealegs.judgement.in_flight import InFlight
from sealegs.judgement.measures import MEASURES
from sealegs.judgement.measures.measured import Measured
from sealegs.judgement.situation import Situation
from sealegs.record_shape import is_timeline
from sealegs.recorder.alerts import PROMETHEUS
from sealegs.scenario.claim import Bound

ASKED_S = INJECTED_S + 90.0


def fired(after_s: float, *, name: str = "EngineGray", **labels: str) -> dict[str, Any]:
    """An alert that fired so long after injection."""
    return {"name": name, "labels": labels, "from_s": INJECTED_S + after_s}


def measured(*, at_most: float = 80.0, **told: Any) -> Measured:  # noqa: ANN401 - any field of a record
    """The measure of a run whose recorder was told this of alerts; of nothing when it did not ask."""
    facts = made_facts("pass")
    if told:
        facts = with_record(facts, t_s=ASKED_S, kind="alerts", **told)
    situation = Situation(facts=facts, fates=fates_of(facts), story=fault_story(facts), in_flight=InFlight())
    bound = Bound(name="b", measure="alert-after-s", alert="EngineGray", at_most=at_most)
    return MEASURES["alert-after-s"](situation, bound)


@pytest.mark.parametrize(
    ("alerts", "value"),
    [
        ([fired(58.5, pod=VICTIM)], 58.5),
        ([fired(58.5)], 58.5),
        ([fired(60.0, pod=VICTIM), fired(58.5, pod=VICTIM)], 58.5),
        # Another alert or another engine: 90 s were not enough for it.
        ([fired(5.0, name="TargetDown", pod=VICTIM)], 90.0),
        ([fired(5.0, pod=PODS[0])], 90.0),
        ([], 90.0),
    ],
)
def test_an_alert_counts_from_injection(alerts: list[dict[str, Any]], value: float) -> None:
    """The first of the fault's own; one that did not fire took at least as long as it was watched."""
    assert measured(fired=alerts).value == pytest.approx(value)


def test_an_alert_that_was_not_waited_for_decides_nothing() -> None:
    """Watched for less than the limit it may still have come in time."""
    assert measured(at_most=120.0, fired=[]).value is None


def test_an_alert_from_before_the_fault_decides_nothing() -> None:
    """Left firing by the run before it says nothing, and whether it fired again nobody asked."""
    assert measured(fired=[fired(-1.0, pod=VICTIM)]).value is None


def test_an_alert_without_a_rule_was_not_silent() -> None:
    """What Prometheus has no rule for cannot fire: a mistyped name says nothing of the system."""
    unknown = measured(fired=[], rules=["EngineGrey", "TargetDown"])

    assert (unknown.value, unknown.detail) == (None, "Prometheus has no rule EngineGray")
    assert measured(fired=[], rules=["EngineGray"]).value == pytest.approx(90.0)
    # A rule that was taken away again had fired all the same.
    assert measured(fired=[fired(58.5, pod=VICTIM)], rules=[]).value == pytest.approx(58.5)


def test_alerts_that_nobody_knows_are_no_silence() -> None:
    """Without an answer of Prometheus there is no number, and the reason is told."""
    assert measured().value is None
    assert measured(fired=[], unknown="no Prometheus").value is None
    assert "no Prometheus" in measured(fired=[], unknown="no Prometheus").detail


def test_alerts_are_noted_when_the_recorder_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is noted with its labels, and by the run's clock: as long ago as Prometheus says."""
    in_a_hurry(monkeypatch)
    cluster = small_cluster()
    labels = {"alertname": "EngineGray", "alertstate": "firing", "severity": "page", "pod": "engine-a"}
    result = [{"metric": labels, "value": [1_790_000_000.0, "0.01"]}]
    groups = [{"rules": [{"name": "TargetDown"}, {"name": "EngineGray"}]}, {"rules": [{"name": "NoData"}]}]
    cluster.put(PROMETHEUS, {"metadata": {"name": "query"}, "data": {"result": result}})
    cluster.put(PROMETHEUS, {"metadata": {"name": "rules"}, "data": {"groups": groups}})
    with recording(tmp_path, cluster) as seen:
        assert not seen.timeline("alerts")

    (noted,) = (
        one for one in evidence.read_lines(seen.run_dir / "timeline.jsonl").records if one["kind"] == "alerts"
    )
    (alert,) = noted["fired"]
    assert is_timeline(noted)
    assert noted["rules"] == ["EngineGray", "NoData", "TargetDown"]
    assert (alert["name"], alert["labels"]) == ("EngineGray", {"severity": "page", "pod": "engine-a"})
    assert alert["from_s"] == pytest.approx(max(0.0, noted["t_s"] - 0.01), abs=0.005)


def test_a_cluster_without_prometheus_is_recorded_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That nobody knows of alerts is noted, with the API server's answer, and no error is."""
    in_a_hurry(monkeypatch)
    with recording(tmp_path, small_cluster()) as seen:
        pass

    (noted,) = seen.timeline("alerts")
    assert noted["fired"] == []
    assert "404" in noted["unknown"]
    assert not seen.timeline("error")
