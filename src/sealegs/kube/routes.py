"""How requests are split between the subsets of a service: what its routes say, and what a proxy goes by."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sealegs.errors import ClusterError
from sealegs.kube import exec as kube_exec
from sealegs.kube.api import MERGE_PATCH, Api
from sealegs.kube.objects import SIDECAR, Pod

DUMP_LIMIT_S = 10.0
WHOLE = 100

Json = Mapping[str, Any]


def weights(api: Api, name: str, *, namespace: str, subset: str) -> set[int]:
    """The percents that the routes of a VirtualService which split requests in two give a subset.

    Raises:
        ClusterError: there is no such VirtualService, or none of its routes splits for that subset.
    """
    found = {
        one.get("weight", 0)
        for route in _split(_routes(api, name, namespace=namespace), subset)
        for one in route["route"]
        if one["destination"].get("subset") == subset
    }
    if not found:
        raise ClusterError(f"no route of VirtualService {namespace}/{name} splits requests for {subset}")
    return found


def set_weight(api: Api, name: str, *, namespace: str, subset: str, percent: int) -> None:
    """Every route that splits requests in two gives a subset so many percent, and the other one the rest.

    Raises:
        ClusterError: there is no such VirtualService.
    """
    http = _routes(api, name, namespace=namespace)
    for route in _split(http, subset):
        for one in route["route"]:
            its_own = one["destination"].get("subset") == subset
            one["weight"] = percent if its_own else WHOLE - percent
    body = {"spec": {"http": http}}
    api.call("PATCH", _path(name, namespace=namespace), body=body, content_type=MERGE_PATCH)


def weights_at(api: Api, pod: Pod, *, port: int, subset: str) -> set[int]:
    """The percents that a pod's proxy gives a subset on its way to a port, in the routes that it goes by now.

    A route that goes to the subset alone is for who asks for it, and is left out.

    Raises:
        ClusterError: the proxy does not say.
    """
    asked = f"config_dump?resource=dynamic_route_configs&name_regex=^{port}$"
    argv = ["pilot-agent", "request", "GET", asked]
    said = kube_exec.output(api, replace(pod, container=SIDECAR), argv, limit_s=DUMP_LIMIT_S)
    return {parts.get(subset, 0) for parts in _shares(json.loads(said)) if set(parts) != {subset}}


def _path(name: str, *, namespace: str) -> str:
    return f"/apis/networking.istio.io/v1/namespaces/{namespace}/virtualservices/{name}"


def _routes(api: Api, name: str, *, namespace: str) -> list[dict[str, Any]]:
    """The routes of a VirtualService, in their order."""
    http: list[dict[str, Any]] = api.call("GET", _path(name, namespace=namespace)).body["spec"]["http"]
    return http


def _split(http: list[dict[str, Any]], subset: str) -> Iterator[dict[str, Any]]:
    """The routes that have two destinations, of which a subset is one."""
    for route in http:
        subsets = [one["destination"].get("subset") for one in route.get("route", ())]
        if len(subsets) == 2 and subset in subsets:  # noqa: PLR2004  what the other gets is then the rest
            yield route


def _shares(dump: Json) -> Iterator[dict[str, int]]:
    """Of each route of a proxy's dump that leads to a service: subset → percent. No subset is empty.

    Istio leaves a destination of weight 0 out, and names the only one that is left without a weight.
    """
    hosts = [host for one in dump.get("configs", ()) for host in one["route_config"].get("virtual_hosts", ())]
    for route in (one["route"] for host in hosts for one in host.get("routes", ()) if "route" in one):
        split = route.get("weighted_clusters", {}).get("clusters")
        parts = split or [{"name": route.get("cluster", ""), "weight": WHOLE}]
        # As in outbound|8000|v2|llm-inference.llm-production.svc.cluster.local.
        named = [(one["name"].split("|"), one.get("weight", 0)) for one in parts]
        if all(words[0] == "outbound" for words, _ in named):
            yield {words[2]: weight for words, weight in named}
