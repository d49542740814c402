"""Speaking to an engine of the reference stack from inside its container: what it is told, how it answers."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sealegs.faults import straight
from sealegs.kube import exec as kube_exec
from sealegs.kube.api import Api
from sealegs.kube.objects import Pod

TELL_LIMIT_S = 15.0
ASK_LIMIT_S = 60.0


def tell(api: Api, pod: Pod, told: Mapping[str, object]) -> None:
    """From now on an engine does wrong what it is told, and nothing else. Nothing told is to behave.

    Raises:
        ClusterError: it takes no such orders, or does not answer.
    """
    argv = ["python3", "-m", "engine.misbehave", json.dumps(dict(told))]
    kube_exec.output(api, pod, argv, limit_s=TELL_LIMIT_S)


def ask_straight(api: Api, pod: Pod, *, requests: int, tokens: int) -> list[dict[str, Any]]:
    """What became of some requests straight at an engine: see `straight.ask`.

    Raises:
        ClusterError: the program could not be run in the engine's container.
    """
    program = Path(straight.__file__).read_text()
    argv = ["python3", "-c", program, *map(str, (api.shape.engines.port, requests, tokens))]
    seen: list[dict[str, Any]] = json.loads(kube_exec.output(api, pod, argv, limit_s=ASK_LIMIT_S))
    return seen
