"""The images of the serving stack and of load, made from the sources under ``stack/images``."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from sealegs.cluster import Cluster, images
from sealegs.cluster.cache import artefact, lock, log_path
from sealegs.cluster.command import run
from sealegs.cluster.golang import ENVIRONMENT, FLAGS
from sealegs.cluster.places import ROOT, STACK


def ensure(cluster: Cluster) -> Mapping[str, str]:
    """Image in the manifests → image made from these sources, which every node of our own cluster has.

    A cluster that is not ours pulls what its overlay names: nothing is made, and the mapping is empty.

    Raises:
        ClusterError: an image could not be built or loaded.
    """
    if not cluster.owned:
        return {}
    engine, api = STACK / "images" / "llm-inference", STACK / "images" / "llm-api"
    with lock():
        site = images.wheels(engine / "requirements.txt")
        made = {
            "llm-inference": images.build("llm-inference", engine, files={"site": site}),
            "llm-api": images.build("llm-api", api, files={"llm-api": llm_api_program() / "llm-api"}),
        }
        images.load(cluster.name, list(made.values()))
    return made


def ensure_load(cluster: Cluster, *, nodes: Sequence[str]) -> str | None:
    """Image of the load pods, made from this very package, which these nodes of our own cluster have.

    A cluster that is not ours pulls its own: nothing is made, and it is None.

    Raises:
        ClusterError: the image could not be built or loaded.
    """
    if not cluster.owned:
        return None
    folder = STACK / "images"
    with lock():
        packages = images.wheels(folder / "load-site" / "requirements.txt")
        site = images.build("load-site", folder / "load-site", files={"site": packages})
        package = {"sealegs": ROOT / "src" / "sealegs"}
        made = images.build("load", folder / "load", files=package, args={"SITE": site})
        images.load(cluster.name, [made], only=nodes)
    return made


def llm_api_program() -> Path:
    """Folder with the static ``llm-api`` program, compiled now or before from the same sources."""
    source = STACK / "images" / "llm-api"

    def compile_into(folder: Path) -> None:
        run(
            ["go", "-C", source, "build", *FLAGS, "-ldflags", "-s -w", "-o", folder / "llm-api", "."],
            log=log_path("llm-api"),
            env={**os.environ, **ENVIRONMENT},
        )

    return artefact("llm-api", inputs=[*sorted(source.glob("*.go")), source / "go.mod"], build=compile_into)
