"""How a serving stack is named: where it stands, what marks its pods, and where they tell what they do.

The code knows three roles by the names that our own stack has for them. What a stack of yours calls them is
translated where objects of the cluster are parsed; nothing beyond has to know. `docs/stack.md` describes its
file.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from sealegs.errors import ScenarioError
from sealegs.scenario.claim import APPS
from sealegs.scenario.toml_shape import Document, KeyPath, Range, build, open_document

# Roles, as the code and the evidence say them.
ENGINES, API, GATEWAY = APPS
HTTP_PORT = 80
ROLES = frozenset(APPS)

Labels: TypeAlias = Mapping[str, str]
Port: TypeAlias = Annotated[int, Range(least=1, most=65_535)]

# What the API server takes as a name, and so what may stand in its paths.
_NAME = re.compile(r"[a-z0-9]([-.a-z0-9]*[a-z0-9])?")
_LABEL = re.compile(r"([-.a-z0-9]+/)?[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?")
_PATH = re.compile(r"/[-._~/A-Za-z0-9]*")
_URL = re.compile(r"http://[^/@\s]+/?")


@dataclass(frozen=True, kw_only=True)
class Engines:
    """The pods that write the answers: their Deployment, what marks them, and where they answer and tell.

    Under strict mTLS only the mesh's agent serves metrics to who is outside the mesh: it passes the engine's
    on, at 15020.
    """

    deployment: str
    labels: Labels
    container: str = ""
    port: Port = 8_000
    metrics_port: Port = 15_020
    metrics_path: str = "/stats/prometheus"
    running: str = "vllm:num_requests_running"
    waiting: str = "vllm:num_requests_waiting"


@dataclass(frozen=True, kw_only=True)
class Door:
    """The pods between the gateway and the engines."""

    deployment: str
    labels: Labels
    container: str = ""


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """Where requests come in: its Service, its pods, and its URL where the Service does not tell."""

    namespace: str = "istio-system"
    service: str = "istio-ingressgateway"
    port: Port = HTTP_PORT
    labels: Labels = field(default_factory=lambda: {"app": "istio-ingressgateway"})
    url: str = ""

    @property
    def url_inside(self) -> str:
        """How pods reach it: without the cluster's domain, which differs from one to another."""
        return f"http://{self.service}.{self.namespace}.svc{self.port_in_url}"

    @property
    def port_in_url(self) -> str:
        """The port as a URL has it: HTTP's own is left out."""
        return "" if self.port == HTTP_PORT else f":{self.port}"


@dataclass(frozen=True, kw_only=True)
class Key:
    """The Secret with the API keys, and the one that load takes; any where none has that name."""

    secret: str
    entry: str = "sealegs"


@dataclass(frozen=True, kw_only=True)
class StackShape:
    """The keys of a stack's file.

    Attributes:
        namespace: where the stack stands.
        overlay: folder beside the file, applied with kustomize; empty: the stack is taken as it stands.
        selector: labels that everything of the overlay has: what has them and is not in it is removed.
        gpus: the resource that the device plug-in offers.
        engines: what writes the answers.
        api: what stands before the engines, if anything does.
        gateway: where requests come in.
        key: where the API key is, if one is needed.
    """

    namespace: str
    overlay: str = ""
    selector: Labels = field(default_factory=dict)
    gpus: str = "nvidia.com/gpu"
    engines: Engines
    api: Door | None = None
    gateway: Gateway = field(default_factory=Gateway)
    key: Key | None = None

    def app_of(self, namespace: str, labels: Labels) -> str:
        """The role of what has these labels; of what has none, its own ``app``."""
        # Where one role's labels are among another's, the one that says more is meant.
        roles = sorted(self._marks(), key=lambda one: len(one[2]), reverse=True)
        found = (role for role, home, marks in roles if home == namespace and marks.items() <= labels.items())
        own = labels.get("app", "")
        return next(found, "" if own in ROLES else own)

    def app_of_deployment(self, name: str) -> str:
        """The role of a Deployment; of one that has none, its name."""
        return next((app for app, part in self.parts.items() if part.deployment == name), name)

    def container_of(self, app: str, names: tuple[str, ...]) -> str:
        """Of a pod's containers that are no sidecars the one that is meant: named, or the first."""
        named = self.parts[app].container if app in self.parts else ""
        return named if named in names else next(iter(names), "")

    @property
    def parts(self) -> Mapping[str, Engines | Door]:
        """Role → the part of the stack that has it."""
        return {ENGINES: self.engines, API: self.api} if self.api else {ENGINES: self.engines}

    @property
    def variables(self) -> dict[str, str]:
        """What an experiment may have in its ``configuration``: where the stack is, and a selector."""
        return {"stack_namespace": self.namespace, "stack_engines": selected(self.engines.labels)}

    @property
    def selected(self) -> str:
        """`selector` as kubectl takes it."""
        return selected(self.selector)

    @property
    def document(self) -> dict[str, Any]:
        """The shape in plain JSON values, for `shape_of`."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}

    def _marks(self) -> Iterator[tuple[str, str, Labels]]:
        """Role, namespace and labels of each kind of pod."""
        for app, part in self.parts.items():
            yield app, self.namespace, part.labels
        yield GATEWAY, self.gateway.namespace, self.gateway.labels


# Ours, as ``stack/stack.toml`` describes it.
REFERENCE = StackShape(
    namespace="llm-production",
    selector={"app.kubernetes.io/part-of": "llm-stack"},
    engines=Engines(deployment=ENGINES, labels={"app": ENGINES}, container="inference"),
    api=Door(deployment=API, labels={"app": API}),
    key=Key(secret="llm-api-keys"),  # noqa: S106  its name
)


def selected(labels: Labels) -> str:
    """Labels as a selector is written."""
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def load_shape(path: Path) -> StackShape:
    """The shape that a file describes.

    Raises:
        ScenarioError: with every problem of the file, as ``file:line: problem``.
    """
    document, keys = open_document(path, root=path.parent)
    shape = None
    if not document.problems:
        shape = build(StackShape, keys, document=document)
        for at, problem in _problems(keys, path.parent):
            document.report(at, problem)
    if shape is None or document.problems:
        raise ScenarioError(document.in_order)
    return shape


def shape_of(document: Mapping[str, Any], *, path: Path) -> StackShape:
    """The shape that a run's ``run.json`` at `path` holds; ours where it holds none.

    Raises:
        ScenarioError: what it holds is none.
    """
    if "stack" not in document:
        return REFERENCE
    read = Document(path, path.parent)
    shape = (
        build(StackShape, document["stack"], document=read) if isinstance(document["stack"], dict) else None
    )
    if shape is None:
        raise ScenarioError(read.problems or [f"{path}:1: 'stack' must be a table"])
    return shape


def _problems(keys: Mapping[str, Any], folder: Path) -> Iterator[tuple[KeyPath, str]]:
    """What no annotation can say of a stack's file, each with its key; of other types annotations tell."""
    for at, value in _leaves(keys):
        name, wanted = at[-1], None
        if isinstance(value, dict):
            bad = [f"{key}={one}" for key, one in value.items() if not _is_label(key, str(one))]
            wanted = f"holds what is no label: {', '.join(bad)}" if bad else None
            if not value and name == "labels":
                wanted = "must hold a label: without one every pod would be meant"
        elif not isinstance(value, str):
            continue
        elif name in {"namespace", "deployment", "service", "secret"} or (name == "container" and value):
            wanted = None if _NAME.fullmatch(value) else f"must be a name of Kubernetes', is {value!r}"
        elif name == "metrics_path":
            wanted = None if _PATH.fullmatch(value) else f"must be a path such as /metrics, is {value!r}"
        elif name == "url" and value and not _URL.fullmatch(value):
            plain = "must be plain HTTP, as http://10.0.0.7:30080"
            wanted = f"{plain}: TLS is not spoken" if value.startswith("https:") else f"{plain}, is {value!r}"
        if wanted:
            yield at, f"{'.'.join(map(str, at))!r} {wanted}"
    overlay = keys.get("overlay")
    if isinstance(overlay, str) and overlay and not (folder / overlay / "kustomization.yaml").is_file():
        yield ("overlay",), f"'overlay' names no folder with a kustomization.yaml: {folder / overlay}"


def _leaves(table: Mapping[str, Any], at: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Each value of a stack's file with its key; labels are one value."""
    for name, value in table.items():
        if isinstance(value, dict) and name not in {"labels", "selector"}:
            yield from _leaves(value, (*at, name))
        else:
            yield (*at, name), value


def _is_label(key: str, value: str) -> bool:
    """Whether the API server would take a label."""
    return bool(_LABEL.fullmatch(key)) and (not value or bool(_LABEL.fullmatch(value) and "/" not in value))
