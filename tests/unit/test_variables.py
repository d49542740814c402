"""The variables of a deployment's container: read, and changed by a patch of Kubernetes' own kind."""

from pathlib import Path
from typing import Any

import pytest
from tests.unit import api_objects, api_server
from tests.unit.api_server import DEPLOYMENTS, Cluster

from sealegs.errors import ClusterError
from sealegs.kube import acts, reads
from sealegs.kube.api import Answer, Api, connect

WHERE = {"deployment": "llm-inference", "namespace": api_objects.NAMESPACE, "container": "inference"}


def test_variables_are_read_of_one_container(tmp_path: Path) -> None:
    """Each with its value, which may be empty; that of one that comes from elsewhere is not known."""
    cluster = Cluster()
    item = api_objects.deployment("llm-inference", wanted=3, ready=3)
    env = [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {}}}, {"name": "D"}]
    others = [{"name": "other", "env": [{"name": "C", "value": "3"}]}]
    item["spec"]["template"] = {"spec": {"containers": [{"name": "inference", "env": env}, *others]}}
    cluster.put(DEPLOYMENTS, item)
    with api_server.serving(tmp_path, cluster) as api:
        assert reads.variables(api, **WHERE) == {"A": "1", "B": None, "D": ""}
        with pytest.raises(ClusterError, match="has no container engine"):
            reads.variables(api, **WHERE | {"container": "engine"})


def test_variables_are_set_and_removed_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The patch names one container and its variables; what it does not name stays as it is."""
    asked: list[tuple[str, str, dict[str, Any]]] = []

    def call(_: Api, method: str, path: str, **more: Any) -> Answer:  # noqa: ANN401 - as the client has it
        asked.append((method, path, more))
        return Answer(200, {})

    monkeypatch.setattr(Api, "call", call)
    api = connect(api_server.kubeconfig(tmp_path, 1), context="test")
    acts.set_variables(api, **WHERE, variables={"A": "2", "B": None})

    ((method, path, more),) = asked
    assert (method, path) == ("PATCH", f"{DEPLOYMENTS}/llm-inference")
    assert more["content_type"] == "application/strategic-merge-patch+json"
    assert more["body"]["spec"]["template"]["spec"]["containers"] == [
        {"name": "inference", "env": [{"name": "A", "value": "2"}, {"name": "B", "$patch": "delete"}]}
    ]
