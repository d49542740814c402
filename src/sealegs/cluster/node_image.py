"""The image of a kind node: Debian, containerd, Kubernetes, and every image that each run needs.

kind asks little of it: an init that says when it is up, kubeadm's programs on PATH, a version file and
two manifests. The images inside are imported into containerd's store once, here, and not at every start.
"""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sealegs.cluster import debian, golang, images
from sealegs.cluster.cache import artefact, digest, log_path, scratch
from sealegs.cluster.command import output, pipe, run
from sealegs.cluster.places import HERE, kubectl

IMPORT_LIMIT_S = 600
# Stays alive while images are imported, then is committed.
IMPORT = """
set -eu
mount --make-rshared /
containerd >/tmp/containerd.log 2>&1 &
for attempt in $(seq 100); do ctr version >/dev/null 2>&1 && break; sleep 0.1; done
ctr -n k8s.io images import --no-unpack - >/dev/null
kill $!
wait $! || true
rm -rf /run/containerd /tmp/containerd.log
"""


def ensure(binaries: Mapping[str, Path], *, preload: Mapping[str, str]) -> str:
    """Reference of the node image made from these programs.

    Args:
        binaries: family → folder of its programs, as `golang.build` returns them.
        preload: name in the cluster → local image, put in beside Kubernetes' own.

    Raises:
        ClusterError: a build step failed; its log is named.
    """
    system = _system_images(binaries)
    network = images.build("podnet", HERE / "network")
    preload = {**system, network: network, images.slim(): images.slim(), **preload}
    base = _base(binaries, pause=_named(system, "pause"), podnet=network, storage=_storage(binaries))
    reference = f"sealegs/node:{digest([base, IMPORT, *preload, *preload.values(), _storage(binaries)])}"
    if not images.exists(reference):
        _import(base, reference=reference, preload={**preload, _storage(binaries): _storage(binaries)})
    return reference


def _storage(binaries: Mapping[str, Path]) -> str:
    return images.build("storage", HERE / "images" / "program", files={"bin": binaries["storage"]})


def _system_images(binaries: Mapping[str, Path]) -> dict[str, str]:
    """Name that kubeadm expects → image with one program of ours."""
    folder = binaries["kubernetes"]
    version = golang.version_of("k8s.io/kubernetes", family="kubernetes")
    listed = output([folder / "kubeadm", "config", "images", "list", "--kubernetes-version", version]).split()
    made: dict[str, str] = {}
    for name in listed:
        program = name.split("/")[-1].split(":")[0]
        if program == "pause":
            made[name] = images.build("pause", HERE / "images" / "pause", files={"pause": _pause()})
        elif program == "coredns":
            made[name] = _program("coredns", binaries["coredns"] / "coredns", kind="entrypoint")
        elif program == "kube-proxy":
            made[name] = _program("kube-proxy", folder / program, kind="slim")
        else:
            made[name] = _program(program, folder / program, kind="program")
    return made


def _program(name: str, program: Path, *, kind: str) -> str:
    files = {f"bin/{name}": program}
    return images.build(name, HERE / "images" / kind, files=files, args={"PROGRAM": name})


def _pause() -> Path:
    source = HERE / "images" / "pause" / "pause.c"
    if shutil.which("gcc") is None:
        debian.install(["gcc", "libc6-dev"], log=log_path("pause"))

    def compile_into(folder: Path) -> None:
        run(["gcc", "-Os", "-static", "-o", folder / "pause", source], log=log_path("pause"))

    return artefact("pause", inputs=[source], build=compile_into) / "pause"


def _named(system: Mapping[str, str], program: str) -> str:
    return next(name for name in system if f"/{program}:" in name)


def _base(binaries: Mapping[str, Path], *, pause: str, podnet: str, storage: str) -> str:
    """The node without images in it."""
    version = golang.version_of("k8s.io/kubernetes", family="kubernetes")
    filled = {"@PAUSE@": pause, "@PODNET@": podnet, "@STORAGE@": storage, "@SLIM@": images.slim()}
    with tempfile.TemporaryDirectory(dir=scratch()) as temporary:
        generated = Path(temporary)
        _fill(HERE / "node/files/etc/containerd/config.toml", generated / "config.toml", filled)
        _fill(HERE / "network/manifest.yaml", generated / "kind/manifests/default-cni.yaml", filled)
        _fill(HERE / "storage/manifest.yaml", generated / "kind/manifests/default-storage.yaml", filled)
        (generated / "kind/version").write_text(version)
        return images.build(
            "node-base",
            HERE / "node",
            files={
                "files/etc/containerd/config.toml": generated / "config.toml",
                "kind": generated / "kind",
                "bin/kubeadm": binaries["kubernetes"] / "kubeadm",
                "bin/kubelet": binaries["kubernetes"] / "kubelet",
                "bin/kubectl": kubectl(),
            },
            args={"ROOT": images.root("node")},
        )


def _fill(template: Path, target: Path, values: Mapping[str, str]) -> None:
    text = template.read_text()
    for mark, value in values.items():
        text = text.replace(mark, value)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)


def _import(base: str, *, reference: str, preload: Mapping[str, str]) -> None:
    log = log_path("node-image")
    for name, local in preload.items():
        if name != local:
            output(["docker", "tag", local, name])
    start = ["docker", "run", "--detach", "--rm", "--privileged", "--name", images.UNFINISHED]
    container = output([*start, "--entrypoint", "sleep", base, f"{IMPORT_LIMIT_S}"])
    try:
        into = ["docker", "exec", "--interactive", "--privileged", container, "bash", "-c", IMPORT]
        pipe(["docker", "save", *preload], into, limit_s=IMPORT_LIMIT_S)
        entrypoint = 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]'
        run(["docker", "commit", "--change", entrypoint, container, reference], log=log)
    finally:
        run(["docker", "rm", "--force", "--volumes", container], log=log)
