"""What watches the stack: metrics-server, a Prometheus that an operator runs, and the custom metrics API."""

from collections.abc import Mapping
from pathlib import Path

from sealegs.cluster import golang, images
from sealegs.cluster.cache import log_path
from sealegs.cluster.command import run
from sealegs.cluster.places import HERE, STACK, kubectl

NAMESPACE = "monitoring"
FAMILIES = (
    "prometheus",
    "prometheus-adapter",
    "metrics-server",
    "kube-state-metrics",
    "prometheus-operator",
)
# Program that runs in the cluster → its family.
PROGRAMS = {
    "metrics-server": "metrics-server",
    "kube-state-metrics": "kube-state-metrics",
    "prometheus": "prometheus",
    "prometheus-operator": "prometheus-operator",
    "prometheus-config-reloader": "prometheus-operator",
    "prometheus-adapter": "prometheus-adapter",
}
OPERATOR = "github.com/prometheus-operator/prometheus-operator"
CRDS = "example/prometheus-operator-crd"
# The operator does without its other kinds, which make the API server larger; for probes it waits.
KINDS = ("prometheuses", "prometheusrules", "podmonitors", "servicemonitors", "probes")
APIS = ("v1beta1.metrics.k8s.io", "v1beta1.custom.metrics.k8s.io")
READY_LIMIT_S = 120


def preload(binaries: Mapping[str, Path]) -> dict[str, str]:
    """Name that the manifests use → local image, which is the same here."""
    return {reference: reference for reference in _images(binaries).values()}


def install(binaries: Mapping[str, Path], *, kubeconfig: Path) -> None:
    """Everything answers: both APIs of metrics, and a Prometheus with the monitors and rules of the stack.

    Raises:
        ClusterError: a manifest was refused, or something was not ready in time; names the log.
    """
    folder = golang.module_dir(OPERATOR, family="prometheus-operator") / CRDS
    crds = [folder / f"monitoring.coreos.com_{kind}.yaml" for kind in KINDS]
    _apply(*(word for crd in crds for word in ("--filename", crd)), kubeconfig=kubeconfig)
    named = [f"crd/{kind}.monitoring.coreos.com" for kind in KINDS]
    _wait("Established", *named, kubeconfig=kubeconfig)
    _apply("--filename", HERE / "monitoring" / "namespace.yaml", kubeconfig=kubeconfig)
    # Before the operator: a Prometheus that starts with its rules does not wait a minute for them.
    watch(kubeconfig=kubeconfig)
    text = "---\n".join(manifests(_images(binaries)).values())
    _apply("--filename", "-", kubeconfig=kubeconfig, stdin=text.encode())
    _wait("Available", "deployments", "--all", "--namespace", NAMESPACE, kubeconfig=kubeconfig)
    _wait("Available", "prometheuses", "--all", "--namespace", NAMESPACE, kubeconfig=kubeconfig)
    _wait("Available", *(f"apiservice/{api}" for api in APIS), kubeconfig=kubeconfig)


def watch(*, kubeconfig: Path) -> None:
    """Prometheus is told of the monitors and rules in ``stack/monitoring`` as they stand now."""
    _apply("--kustomize", STACK / "monitoring", kubeconfig=kubeconfig)


def manifests(references: Mapping[str, str]) -> dict[str, str]:
    """File of ``cluster/monitoring`` → its text, with the images of our programs put in."""
    filled = {f"@{name.upper().replace('-', '_')}@": reference for name, reference in references.items()}
    filled["@PROMETHEUS_VERSION@"] = prometheus_version()
    found = {}
    for path in sorted((HERE / "monitoring").glob("*.yaml")):
        text = path.read_text()
        for mark, value in filled.items():
            text = text.replace(mark, value)
        found[path.name] = text
    return found


def prometheus_version() -> str:
    """What Prometheus calls itself: its module v0.316.0 is version 3.16.0."""
    version = golang.version_of("github.com/prometheus/prometheus", family="prometheus")
    _, both, patch = version.split(".")
    major, minor = divmod(int(both), 100)
    return f"v{major}.{minor}.{patch}"


def _images(binaries: Mapping[str, Path]) -> dict[str, str]:
    """Program → reference of its image, built now or before."""
    made = {}
    for name, family in PROGRAMS.items():
        # The operator names the reloader by its path, and Prometheus not at all.
        context = HERE / "images" / ("program" if name == "prometheus-config-reloader" else "entrypoint")
        files = {f"bin/{name}": binaries[family] / name}
        made[name] = images.build(name, context, files=files, args={"PROGRAM": name})
    return made


def _apply(*what: str | Path, kubeconfig: Path, stdin: bytes | None = None) -> None:
    options = ["apply", "--server-side", "--force-conflicts"]
    run([kubectl(), "--kubeconfig", kubeconfig, *options, *what], log=log_path("monitoring"), stdin=stdin)


def _wait(condition: str, *what: str, kubeconfig: Path) -> None:
    options = [f"--for=condition={condition}", f"--timeout={READY_LIMIT_S}s"]
    run([kubectl(), "--kubeconfig", kubeconfig, "wait", *what, *options], log=log_path("monitoring"))
