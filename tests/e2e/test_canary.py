"""A canary of the engines on the real cluster: who asks for it gets it, and its release goes as faults go."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.e2e import test_faults
from tests.e2e.conformance import Fault
from tests.e2e.test_faults import run_dir as run_dir  # noqa: PLC0414  a fixture: of the stack with a canary here

from sealegs import stack
from sealegs.active import active_run
from sealegs.cluster import Cluster
from sealegs.faults import canary
from sealegs.kube.api import Api, connect

REQUESTS = 10
ANSWER_LIMIT_S = 10.0


def release_nothing(_: str) -> None:
    """Aim as the release does and claim to have made it, but change nothing."""
    with active_run() as run:
        target, streams = canary.arm(run, weight=20, streams_min=0)
        canary.note_injected(run, target, streams=streams)


RELEASE = Fault(
    name="canary",
    inject=lambda _: canary.inject(weight=20, streams_min=0),
    nothing=release_nothing,
    module=canary,
    lands_s=20,
    goes_s=20,
)


@pytest.fixture
def api(cluster: Cluster) -> Iterator[Api]:
    """The cluster's API server, with the canary beside the sound stack."""
    stack.apply(cluster, overlay="kind-canary")
    opened = connect(cluster.kubeconfig, context=cluster.context)
    yield opened
    opened.close()


def served_by(cluster: Cluster, **headers: str) -> set[str]:
    """The versions of the engines that answer some requests, by the names that they put on their answers."""
    door = urlsplit(cluster.gateway_url)
    known = {"Authorization": f"Bearer {stack.api_key(cluster)}", "Content-Type": "application/json"}
    body = {"messages": [{"role": "user", "content": "hello"}], "stream": True, "max_tokens": 3}
    names = set()
    for _ in range(REQUESTS):
        connection = http.client.HTTPConnection(door.hostname or "", door.port, timeout=ANSWER_LIMIT_S)
        asked = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), known | asked)
        answer = connection.getresponse()
        answer.read()
        names.add(answer.headers["x-served-by"])
        connection.close()
    return {"new" if name.startswith(f"{canary.DEPLOYMENT}-") else "stable" for name in names}


@pytest.mark.e2e
@pytest.mark.usefixtures("api")
def test_the_header_decides_while_the_canary_has_no_weight(cluster: Cluster) -> None:
    """Who asks for the canary gets it and nobody else; the value counts to the letter, the name does not."""
    assert served_by(cluster) == {"stable"}
    assert served_by(cluster, x_canary="true") == {"new"}
    assert served_by(cluster, X_Canary="true") == {"new"}
    assert served_by(cluster, x_canary="True") == {"stable"}


@pytest.mark.proof
def test_a_release_is_held_to_every_faults_rules(api: Api, run_dir: Path) -> None:
    """It lands and goes, seen by the proxies."""
    test_faults.test_a_fault_lands_and_goes(RELEASE, api, run_dir)


@pytest.mark.proof
def test_a_release_whose_runner_was_killed_is_rolled_back(api: Api, run_dir: Path) -> None:
    """What is on disk is enough."""
    test_faults.test_a_runner_killed_after_the_injection_is_healed(RELEASE, api, run_dir)


@pytest.mark.proof
def test_a_release_of_nothing_does_not_land(api: Api, run_dir: Path) -> None:
    """The proxies go by what they have been given."""
    test_faults.test_nothing_does_not_land(RELEASE, api, run_dir)
