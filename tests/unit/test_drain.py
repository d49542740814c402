"""What a drain does with each pod, by kubectl's rules."""

from dataclasses import replace

import pytest

from sealegs.drain import plan
from sealegs.kube.objects import Pod

ENGINE = Pod(
    name="engine",
    namespace="llm-production",
    uid="uid-engine",
    app="llm-inference",
    node="worker-a",
    phase="Running",
    ready=True,
    deleting=False,
    disruption=None,
    owner="ReplicaSet",
    mirror=False,
    local_storage=False,
    container="inference",
)


def test_a_pod_with_a_controller_is_evicted() -> None:
    """A replica in an opted-in namespace goes, and nothing stands against it."""
    drawn = plan([ENGINE], namespaces={"llm-production"})

    assert (drawn.evict, drawn.skipped, drawn.refusals) == ((ENGINE,), {}, ())


@pytest.mark.parametrize(
    ("pod", "why"),
    [
        (replace(ENGINE, deleting=True), "is being deleted already"),
        (replace(ENGINE, phase="Succeeded", owner=None), "has finished"),
        (replace(ENGINE, phase="Failed"), "has finished"),
        (replace(ENGINE, owner="DaemonSet"), "belongs to a DaemonSet, which ignores a cordon"),
        (replace(ENGINE, mirror=True, owner="Node"), "is a static pod of its kubelet"),
    ],
)
def test_pods_that_a_drain_leaves_alone(pod: Pod, why: str) -> None:
    """They are skipped with the reason, whatever namespace they are in and whatever storage they have."""
    drawn = plan([replace(pod, local_storage=True)], namespaces=(), local_storage_allowed=False)

    assert (drawn.evict, drawn.skipped, drawn.refusals) == ((), {"llm-production/engine": why}, ())


def test_every_refusal_is_told_at_once() -> None:
    """Each pod that forbids the drain is named with its own reason, and the others are still sorted."""
    bare = replace(ENGINE, name="bare", owner=None)
    stateful = replace(ENGINE, name="cache", local_storage=True)
    foreign = replace(ENGINE, name="dns", namespace="kube-system")

    drawn = plan(
        [foreign, bare, ENGINE, stateful], namespaces={"llm-production"}, local_storage_allowed=False
    )

    assert drawn.evict == (ENGINE,)
    assert drawn.refusals == (
        "kube-system/dns would be evicted, but namespace kube-system has not opted in to faults",
        "llm-production/bare has no controller that would replace it",
        "llm-production/cache has an emptyDir, whose data an eviction deletes",
    )


def test_a_cluster_that_opted_in_as_a_whole_is_drained_whole() -> None:
    """Without a list of namespaces a pod of any of them is evicted, emptyDirs and all, in order of name."""
    dns = replace(ENGINE, name="dns", namespace="kube-system", local_storage=True)

    assert plan([ENGINE, dns], namespaces=None).evict == (dns, ENGINE)
