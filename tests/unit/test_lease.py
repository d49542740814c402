"""The Lease that keeps two runs apart: real client, an API server in this process."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit import api_server

from sealegs.errors import ClusterError
from sealegs.kube import lease
from sealegs.kube.api import Api
from sealegs.waiting import wait_until

BEAT_S = 0.01
MANY = 4  # no more than a server's queue of connections


@dataclass(frozen=True)
class Stage:
    """A cluster, and what a holder was told."""

    cluster: api_server.Cluster
    api: Api
    lost: list[str] = field(default_factory=list)

    def put(self, holder: str, *, age_s: float) -> None:
        """Have somebody's Lease there, renewed so long ago."""
        renewed = (datetime.now(UTC) - timedelta(seconds=age_s)).strftime(lease.STAMP)
        spec = {"holderIdentity": holder, "leaseDurationSeconds": lease.VALID_S, "renewTime": renewed}
        self.cluster.put(lease.LEASES, {"metadata": {"name": lease.NAME}, "spec": spec})

    @property
    def spec(self) -> dict[str, Any] | None:
        """What the Lease says, if there is one."""
        found = self.cluster.get(lease.LEASE)
        return found["spec"] if found else None

    @property
    def looks(self) -> int:
        """How often the Lease was read."""
        return self.cluster.asked.count(f"GET {lease.LEASE}")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A cluster that nobody holds; a Lease is renewed often."""
    monkeypatch.setattr(lease, "RENEW_EVERY_S", BEAT_S)
    cluster = api_server.Cluster()
    with api_server.serving(tmp_path, cluster) as api:
        yield Stage(cluster, api)


def until_told(stage: Stage) -> None:
    """Return when the holder was told that the cluster is not his."""
    wait_until(lambda: stage.lost, ready=bool, limit_s=5, every_s=0.002, what="the loss to be told")


def test_one_run_at_a_time(stage: Stage) -> None:
    """While one holds the cluster another is refused, told who it is and what to do; afterwards it may."""
    with (
        lease.held(stage.api, holder="run-a", on_lost=stage.lost.append),
        pytest.raises(ClusterError, match=r"run run-a is going on here, last heard of .* `sealegs heal`"),
        lease.held(stage.api, holder="run-b", on_lost=stage.lost.append),
    ):
        pass

    assert stage.spec is None
    with lease.held(stage.api, holder="run-b", on_lost=stage.lost.append):
        assert stage.spec is not None
        assert stage.spec["holderIdentity"] == "run-b"
    assert stage.lost == []


@pytest.mark.parametrize("expired", [False, True])
def test_of_many_that_begin_at_once_one_holds(stage: Stage, *, expired: bool) -> None:
    """Between the look and the taking another may come: the API server decides, and the others hear of it."""
    if expired:
        stage.put("old", age_s=lease.VALID_S + 1)
    together, tried = threading.Barrier(MANY), threading.Barrier(MANY)

    def begin(number: int) -> str:
        together.wait()
        try:
            with lease.held(stage.api, holder=f"run-{number}", on_lost=stage.lost.append):
                tried.wait()
                return "held"
        except ClusterError as refused:
            tried.wait()
            return str(refused)

    with ThreadPoolExecutor(MANY) as pool:
        said = list(pool.map(begin, range(MANY)))

    assert said.count("held") == 1
    refused = [one for one in said if one != "held"]
    assert all("another run began here" in one or "is going on here" in one for one in refused)
    assert stage.lost == []


def test_a_lease_is_anybodys_once_it_expired(stage: Stage) -> None:
    """A run that was killed keeps the cluster for as long as its Lease is valid, and no longer."""
    stage.put("killed", age_s=lease.VALID_S - 5)
    with pytest.raises(ClusterError, match="run killed is going on"), lease.held(
        stage.api, holder="run-b", on_lost=stage.lost.append
    ):  # fmt: skip
        pass
    stage.put("killed", age_s=lease.VALID_S + 1)

    with lease.held(stage.api, holder="run-b", on_lost=stage.lost.append):
        assert stage.spec is not None
        assert stage.spec["holderIdentity"] == "run-b"


def test_who_takes_an_expired_lease_first_has_it(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another that came between the look and the taking keeps it, and we are told."""
    stage.put("killed", age_s=lease.VALID_S + 1)
    until = lease._until  # noqa: SLF001  between the look and the taking there is nothing else

    def come_between(spec: dict[str, Any]) -> datetime:
        stage.put("another", age_s=0)
        return until(spec)

    monkeypatch.setattr(lease, "_until", come_between)
    with (
        pytest.raises(ClusterError, match="another run began here at this moment"),
        lease.held(stage.api, holder="run-b", on_lost=stage.lost.append),
    ):
        pass

    assert stage.spec is not None
    assert stage.spec["holderIdentity"] == "another"


def test_the_holder_renews(stage: Stage) -> None:
    """The Lease's time moves on for as long as it is held, and not after."""
    with lease.held(stage.api, holder="run-a", on_lost=stage.lost.append):
        first = stage.spec
        assert first is not None
        wait_until(
            lambda: (stage.spec or first)["renewTime"],
            ready=lambda renewed: renewed > first["renewTime"],
            limit_s=5,
            every_s=0.002,
            what="the Lease to be renewed",
        )

    assert stage.spec is None
    assert stage.lost == []


def test_a_cluster_that_was_taken_is_told_once_and_left_alone(stage: Stage) -> None:
    """Who took it is named; the loser neither renews nor releases what is another's."""
    with lease.held(stage.api, holder="run-a", on_lost=stage.lost.append):
        stage.put("run-b", age_s=0)
        until_told(stage)

    assert stage.lost == ["the cluster was taken by run run-b"]
    assert stage.spec is not None
    assert stage.spec["holderIdentity"] == "run-b"


def test_a_lease_that_was_deleted_is_told(stage: Stage) -> None:
    """Somebody's `kubectl delete lease` opens the cluster to others: the run hears of it at once."""
    with lease.held(stage.api, holder="run-a", on_lost=stage.lost.append):
        wait_until(
            lambda: stage.looks, ready=lambda looks: looks > 1, limit_s=5, every_s=0.002, what="a beat"
        )
        with stage.cluster.changed:
            stage.cluster.delete(lease.LEASES, lease.NAME)
        until_told(stage)

    # A beat may have been between its look and its renewal.
    assert len(stage.lost) == 1
    assert "deleted" in stage.lost[0] or "not be renewed" in stage.lost[0]


def test_a_short_silence_loses_nothing(stage: Stage) -> None:
    """An API server that is away for a few beats, as in a fault, costs no run: the Lease is valid."""
    with lease.held(stage.api, holder="run-a", on_lost=stage.lost.append):
        stage.cluster.refuses.add(lease.LEASE)
        looks = stage.looks
        wait_until(
            lambda: stage.looks,
            ready=lambda seen: seen > looks + 3,
            limit_s=5,
            every_s=0.002,
            what="beats without an answer",
        )
        silent = stage.spec
        assert silent is not None
        stage.cluster.refuses.clear()
        wait_until(
            lambda: (stage.spec or silent)["renewTime"],
            ready=lambda renewed: renewed > silent["renewTime"],
            limit_s=5,
            every_s=0.002,
            what="the Lease to be renewed again",
        )

    assert stage.lost == []


def test_a_lease_that_would_expire_is_told_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """When no renewal gets through until others may come, the run is told, with what the API server said."""
    with lease.held(stage.api, holder="run-a", on_lost=stage.lost.append):
        monkeypatch.setattr(lease, "VALID_S", 4 * BEAT_S)
        stage.cluster.refuses.add(lease.LEASE)
        until_told(stage)

    assert len(stage.lost) == 1
    assert "could not be renewed: context test: GET" in stage.lost[0]


def test_a_cluster_that_has_gone_raises_nothing_at_the_end(stage: Stage) -> None:
    """The Lease that cannot be given back expires: a run whose cluster died still gets its verdict."""
    with lease.held(stage.api, holder="run-a", on_lost=stage.lost.append):
        stage.cluster.refuses.add(lease.LEASE)

    assert stage.spec is not None


def test_only_its_holder_releases_a_lease(stage: Stage) -> None:
    """Another's stays, and whether it was ours is said."""
    assert not lease.release(stage.api, holder="run-a")
    stage.put("run-b", age_s=0)

    assert not lease.release(stage.api, holder="run-a")
    assert stage.spec is not None
    assert lease.release(stage.api, holder="run-b")
    assert stage.spec is None
