"""Keeps the pod network of one node true: its CNI configuration, its routes and its masquerading.

Every node owns the pod range that the control plane gave it. A bridge of point-to-point links serves the
pods of this node (CNI's ptp plug-in), a route leads to the range of each other node, and what pods send
outside the pod network leaves under the node's address. All of it is checked again every two seconds, so
that a node that restarts or comes back with another address is reachable again.
"""

import json
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
CONFIGURATION = Path("/etc/cni/net.d/10-sealegs.conflist")
CHECK_EVERY_S = 2
API_LIMIT_S = 5


def nodes() -> list[dict[str, Any]]:
    """Every node as the API server describes it."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    request = urllib.request.Request(
        f"https://{host}:{port}/api/v1/nodes",
        headers={"Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}"},
    )
    trust = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, timeout=API_LIMIT_S, context=trust) as answer:  # noqa: S310
        return list(json.load(answer)["items"])


def address(node: dict[str, Any]) -> str:
    """Internal address of a node."""
    return next(str(one["address"]) for one in node["status"]["addresses"] if one["type"] == "InternalIP")


def configuration(pod_range: str) -> str:
    """The CNI configuration of a node with this pod range."""
    link = {
        "type": "ptp",
        "ipMasq": False,
        "ipam": {"type": "host-local", "ranges": [[{"subnet": pod_range}]], "routes": [{"dst": "0.0.0.0/0"}]},
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "0.4.0", "name": "sealegs", "plugins": [link, ports]}, indent=1)


def ip(*words: str) -> None:
    """One ip command; a route through a node that is gone is refused and tried again in a while."""
    subprocess.run(["ip", *words], check=False)


def masquerade(pod_network: str) -> None:
    """What leaves the pod network carries the node's address."""
    rule = ["POSTROUTING", "-s", pod_network, "!", "-d", pod_network, "-j", "MASQUERADE"]
    check = subprocess.run(["iptables", "-w", "-t", "nat", "-C", *rule], capture_output=True, check=False)
    if check.returncode != 0:
        subprocess.run(["iptables", "-w", "-t", "nat", "-A", *rule], check=True)


def reconcile(*, own_name: str, pod_network: str) -> None:
    """Configuration, routes and rule are as the nodes that exist now ask for."""
    for node in nodes():
        pod_range = node["spec"].get("podCIDR")
        if not pod_range:
            continue
        if node["metadata"]["name"] != own_name:
            ip("route", "replace", pod_range, "via", address(node))
        elif not CONFIGURATION.exists() or CONFIGURATION.read_text() != configuration(pod_range):
            CONFIGURATION.with_suffix(".new").write_text(configuration(pod_range))
            CONFIGURATION.with_suffix(".new").rename(CONFIGURATION)
            print(f"podnet: {own_name} serves {pod_range}")
    masquerade(pod_network)


def main() -> None:
    """Reconcile for ever; an API server that does not answer is said once and asked again."""
    said = ""
    while True:
        problem = ""
        try:
            reconcile(own_name=os.environ["NODE_NAME"], pod_network=os.environ["POD_NETWORK"])
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            problem = f"podnet: the API server does not answer: {error}"
        if problem and problem != said:
            print(problem)
        said = problem
        time.sleep(CHECK_EVERY_S)


if __name__ == "__main__":
    main()
