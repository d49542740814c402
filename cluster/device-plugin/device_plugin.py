#!/usr/bin/env python3
"""A device plugin whose GPUs are names: kubelet counts, allocates and loses them as it does real ones.

device-plugin serve                           run until SIGTERM
device-plugin mark sim-gpu-0 unhealthy        as an XID error would; `healthy` takes it back
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from kubelet_api import HEALTHY, UNHEALTHY, message, plugin_handler, register

POLL_S = 0.5
REGISTER_LIMIT_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is served and where.

    Attributes:
        sockets: kubelet's folder of plugin sockets.
        state: folder that holds one file for each unhealthy device; it outlives this process.
        resource: name that pods ask for.
        count: devices on this node.
        socket: name of our own socket.
    """

    sockets: Path = Path("/var/lib/kubelet/device-plugins")
    state: Path = Path("/var/lib/sealegs-device-plugin")
    resource: str = "nvidia.com/gpu"
    count: int = 2
    socket: str = "sealegs-gpu.sock"

    @property
    def devices(self) -> tuple[str, ...]:
        """Names of the devices."""
        return tuple(f"sim-gpu-{index}" for index in range(self.count))

    def health(self) -> dict[str, str]:
        """Device → Healthy or Unhealthy, as it stands now."""
        return {name: UNHEALTHY if (self.state / name).exists() else HEALTHY for name in self.devices}


class Plugin:
    """The calls that kubelet makes; `stopping` ends the open ones."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stopping = threading.Event()

    def watch(self, _request: object, context: grpc.ServicerContext) -> Iterator[Any]:
        """ListAndWatch: every device at once, and all of them again whenever one's health has changed."""
        told: dict[str, str] | None = None
        while context.is_active() and not self.stopping.is_set():
            health = self.settings.health()
            if health != told:
                print(f"devices {health}", flush=True)
                devices = [message("Device")(ID=name, health=state) for name, state in health.items()]
                yield message("ListAndWatchResponse")(devices=devices)
                told = health
            self.stopping.wait(POLL_S)

    def options(self, _request: object, _context: grpc.ServicerContext) -> Any:  # noqa: ANN401
        """What kubelet may call."""
        return message("DevicePluginOptions")(get_preferred_allocation_available=True)

    def allocate(self, request: Any, _context: grpc.ServicerContext) -> Any:  # noqa: ANN401
        """A container sees its devices by the variable that NVIDIA's runtime reads."""
        response = message("AllocateResponse")()
        for container in request.container_requests:
            names = ",".join(container.devices_ids)
            response.container_responses.add(envs={"NVIDIA_VISIBLE_DEVICES": names})
            print(f"allocated {names}", flush=True)
        return response

    def prefer(self, request: Any, _context: grpc.ServicerContext) -> Any:  # noqa: ANN401
        """The lowest names first, so that which pod has which device can be repeated."""
        response = message("PreferredAllocationResponse")()
        for container in request.container_requests:
            must = list(container.must_include_deviceIDs)
            others = sorted(set(container.available_deviceIDs) - set(must))
            response.container_responses.add(deviceIDs=[*must, *others][: container.allocation_size])
        return response

    def pre_start(self, _request: object, _context: grpc.ServicerContext) -> Any:  # noqa: ANN401
        """Nothing to reset on a device that is a name."""
        return message("PreStartContainerResponse")()

    def serve(self) -> None:
        """Registered with kubelet until `stopping`; again after each restart of kubelet."""
        while not self.stopping.is_set():
            try:
                self._serve_one_kubelet()
            except (FileNotFoundError, grpc.RpcError) as absent:
                print(f"kubelet does not take the registration: {absent}", file=sys.stderr, flush=True)
                self.stopping.wait(POLL_S)

    def _serve_one_kubelet(self) -> None:
        kubelet = self.settings.sockets / "kubelet.sock"
        own = self.settings.sockets / self.settings.socket
        known = _identity(kubelet)
        own.unlink(missing_ok=True)
        server = grpc.server(ThreadPoolExecutor(max_workers=4))
        calls = {
            "GetDevicePluginOptions": self.options,
            "GetPreferredAllocation": self.prefer,
            "Allocate": self.allocate,
            "PreStartContainer": self.pre_start,
        }
        server.add_generic_rpc_handlers((plugin_handler(calls, watch=self.watch),))
        server.add_insecure_port(f"unix://{own}")
        server.start()
        try:
            register(
                str(kubelet), endpoint=own.name, resource=self.settings.resource, limit_s=REGISTER_LIMIT_S
            )
            print(f"registered {self.settings.resource}: {self.settings.count}", flush=True)
            # A kubelet that starts empties the folder and makes its socket anew: both are lost together.
            while own.exists() and _identity(kubelet) == known and not self.stopping.wait(POLL_S):
                pass
        finally:
            server.stop(grace=0).wait()


def mark(settings: Settings, device: str, *, healthy: bool) -> None:
    """A device counts as healthy or not, within a second. ValueError if there is no such device."""
    if device not in settings.devices:
        raise ValueError(f"there is no device {device} here, but {', '.join(settings.devices)}")
    if healthy:
        (settings.state / device).unlink(missing_ok=True)
    else:
        settings.state.mkdir(parents=True, exist_ok=True)
        (settings.state / device).touch()


def _identity(socket: Path) -> tuple[int, int]:
    # A file system may give a new socket the old one's inode, but not its time of birth.
    found = socket.stat()
    return found.st_ino, found.st_ctime_ns


def main() -> int:
    """Serve, or mark a device; returns the exit code."""
    parser = argparse.ArgumentParser(prog="device-plugin", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="register with kubelet and serve until SIGTERM")
    marking = commands.add_parser("mark", help="make a device healthy or unhealthy")
    marking.add_argument("device")
    marking.add_argument("health", choices=["healthy", "unhealthy"])
    asked = parser.parse_args()
    settings = Settings(count=int(os.environ.get("GPU_COUNT", "2")))
    if asked.command == "mark":
        try:
            mark(settings, asked.device, healthy=asked.health == "healthy")
        except ValueError as unknown:
            parser.error(str(unknown))
        return 0
    plugin = Plugin(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: plugin.stopping.set())
    plugin.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
