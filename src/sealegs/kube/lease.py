"""One run at a time: a Lease on the cluster, renewed for as long as the run lasts."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from sealegs.errors import ClusterError
from sealegs.kube.api import Api
from sealegs.waiting import every, now_s

LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
NAME = "sealegs-run"
LEASE = f"{LEASES}/{NAME}"
# Longer than a fault silences the API server: nobody else may begin while a run's own fault stands.
VALID_S = 60
RENEW_EVERY_S = 8.0
RENEW_LIMIT_S = 5.0
STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


@contextmanager
def held(api: Api, *, holder: str, on_lost: Callable[[str], None]) -> Iterator[None]:
    """The cluster is this holder's. `on_lost` is told, once, should another take it or the API fall silent.

    Raises:
        ClusterError: another run holds it.
    """
    _take(api, holder=holder)
    end = threading.Event()
    renewing = threading.Thread(
        target=_renew, args=(api, end), kwargs={"holder": holder, "on_lost": on_lost}, daemon=True
    )
    renewing.start()
    try:
        yield
    finally:
        end.set()
        renewing.join()
        # A cluster that has gone costs the run its Lease, not its verdict; the Lease expires by itself.
        with suppress(ClusterError):
            release(api, holder=holder)


def holder(api: Api) -> str | None:
    """The run that has the cluster now; None when none has. ClusterError when the API does not say."""
    found = api.call("GET", LEASE, also=(HTTPStatus.NOT_FOUND,))
    if found.status == HTTPStatus.NOT_FOUND or _until(found.body["spec"]) <= datetime.now(UTC):
        return None
    return str(found.body["spec"]["holderIdentity"])


def release(api: Api, *, holder: str) -> bool:
    """The cluster is nobody's if it was this holder's; says whether it was."""
    found = api.call("GET", LEASE, also=(HTTPStatus.NOT_FOUND,))
    if found.status == HTTPStatus.NOT_FOUND or found.body["spec"].get("holderIdentity") != holder:
        return False
    version = found.body["metadata"]["resourceVersion"]
    api.call(
        "DELETE",
        LEASE,
        body={"preconditions": {"resourceVersion": version}},
        also=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    )
    return True


def _take(api: Api, *, holder: str) -> None:
    found = api.call("GET", LEASE, also=(HTTPStatus.NOT_FOUND,))
    if found.status == HTTPStatus.NOT_FOUND:
        answer = api.call("POST", LEASES, body=_lease(holder), also=(HTTPStatus.CONFLICT,))
    else:
        spec = found.body["spec"]
        if _until(spec) > datetime.now(UTC):
            raise ClusterError(
                f"{api.where}: run {spec['holderIdentity']} is going on here, last heard of at "
                f"{spec['renewTime']}: wait for it, or if its process was killed, `sealegs heal`"
            )
        body = _lease(holder, version=found.body["metadata"]["resourceVersion"])
        answer = api.call("PUT", LEASE, body=body, also=(HTTPStatus.CONFLICT,))
    if answer.status == HTTPStatus.CONFLICT:
        raise ClusterError(f"{api.where}: another run began here at this moment: wait for it")


def _renew(api: Api, end: threading.Event, *, holder: str, on_lost: Callable[[str], None]) -> None:
    """Renew until `end`, or until the Lease is another's or would expire before the next beat."""
    renewed_s = now_s()
    for beat_s in every(RENEW_EVERY_S, until=end):
        try:
            found = api.call("GET", LEASE, also=(HTTPStatus.NOT_FOUND,), limit_s=RENEW_LIMIT_S)
            other = found.body.get("spec", {}).get("holderIdentity")
            if other != holder:
                on_lost(f"the cluster was taken by run {other}" if other else "the run's Lease was deleted")
                return
            body = _lease(holder, version=found.body["metadata"]["resourceVersion"])
            api.call("PUT", LEASE, body=body, limit_s=RENEW_LIMIT_S)
            renewed_s = beat_s
        except ClusterError as silent:
            # A fault may silence the API server for a while: nobody else can come before the Lease expires.
            if now_s() + RENEW_EVERY_S - renewed_s > VALID_S and not end.is_set():
                on_lost(f"the run's Lease could not be renewed: {silent}")
                return


def _until(spec: Mapping[str, Any]) -> datetime:
    """When a Lease stops being valid."""
    renewed = datetime.strptime(spec["renewTime"], STAMP).replace(tzinfo=UTC)
    return renewed + timedelta(seconds=spec["leaseDurationSeconds"])


def _lease(holder: str, *, version: str | None = None) -> dict[str, Any]:
    metadata = {"name": NAME, "namespace": "default"}
    if version is not None:
        metadata["resourceVersion"] = version
    now = datetime.now(UTC).strftime(STAMP)
    spec = {"holderIdentity": holder, "leaseDurationSeconds": VALID_S, "renewTime": now}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
