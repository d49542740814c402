"""The device plugin against a registration server of kubelet's kind, over real sockets."""

import importlib
import queue
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

HOME = Path(__file__).parents[2] / "cluster" / "device-plugin"
WAIT_S_MAX = 10.0
POLL_S = 0.02  # the plugin looks this often; on a node half a second is soon enough, here it is waited for

Made = Any  # modules loaded from files and protobuf classes made at import: nothing states their types


@pytest.fixture(scope="module")
def programs() -> Iterator[tuple[Made, Made]]:
    """The plugin's two files, which are programs of an image and not part of the package."""
    sys.path.insert(0, str(HOME))
    api: Made = importlib.import_module("kubelet_api")
    module: Made = importlib.import_module("device_plugin")
    module.POLL_S = POLL_S
    yield api, module
    sys.path.remove(str(HOME))


@contextmanager
def kubelet(api: Made, sockets: Path) -> Iterator["queue.Queue[Made]"]:
    """A kubelet's registration socket, and what registers there."""
    registered: queue.Queue[Made] = queue.Queue()

    def register(request: Made, _context: object) -> Made:
        registered.put(request)
        return api.message("Empty")()

    codec = {
        "request_deserializer": api.message("RegisterRequest").FromString,
        "response_serializer": api.message("Empty").SerializeToString,
    }
    calls = {"Register": grpc.unary_unary_rpc_method_handler(register, **codec)}
    server = grpc.server(ThreadPoolExecutor(max_workers=2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("v1beta1.Registration", calls),))
    server.add_insecure_port(f"unix://{sockets}/kubelet.sock")
    server.start()
    try:
        yield registered
    finally:
        server.stop(grace=0).wait()


@contextmanager
def running(plugin: Made) -> Iterator[None]:
    """The plugin serving in a thread of its own."""
    thread = threading.Thread(target=plugin.serve)
    thread.start()
    try:
        yield
    finally:
        plugin.stopping.set()
        thread.join(WAIT_S_MAX)
        assert not thread.is_alive()


def caller(api: Made, channel: grpc.Channel, name: str) -> Made:
    """One of the plugin's calls, as kubelet makes it."""
    request, response = api.CALLS[name]
    make = channel.unary_stream if name == "ListAndWatch" else channel.unary_unary
    return make(
        f"/v1beta1.DevicePlugin/{name}",
        request_serializer=api.message(request).SerializeToString,
        response_deserializer=api.message(response).FromString,
    )


@pytest.fixture
def settings(programs: tuple[Made, Made], tmp_path: Path) -> Made:
    """Two devices, with sockets and state in folders of this test."""
    return programs[1].Settings(sockets=tmp_path, state=tmp_path / "state", count=2)


def test_a_marked_device_is_told_to_kubelet_at_once(programs: tuple[Made, Made], settings: Made) -> None:
    """Kubelet is told the devices when it connects, and again when one is marked or taken back."""
    api, module = programs
    with kubelet(api, settings.sockets) as registered, running(module.Plugin(settings)):
        request = registered.get(timeout=WAIT_S_MAX)
        with grpc.insecure_channel(f"unix://{settings.sockets}/{request.endpoint}") as channel:
            watch = caller(api, channel, "ListAndWatch")(api.message("Empty")(), timeout=WAIT_S_MAX)
            seen = [told(next(watch))]
            module.mark(settings, "sim-gpu-1", healthy=False)
            seen.append(told(next(watch)))
            module.mark(settings, "sim-gpu-1", healthy=True)
            seen.append(told(next(watch)))

    assert (request.version, request.resource_name) == ("v1beta1", "nvidia.com/gpu")
    assert seen == [
        {"sim-gpu-0": "Healthy", "sim-gpu-1": "Healthy"},
        {"sim-gpu-0": "Healthy", "sim-gpu-1": "Unhealthy"},
        {"sim-gpu-0": "Healthy", "sim-gpu-1": "Healthy"},
    ]


def test_a_container_is_told_its_devices(programs: tuple[Made, Made], settings: Made) -> None:
    """Allocate sets NVIDIA_VISIBLE_DEVICES for each container; the preferred devices are the lowest."""
    api, module = programs
    with kubelet(api, settings.sockets) as registered, running(module.Plugin(settings)):
        endpoint = registered.get(timeout=WAIT_S_MAX).endpoint
        with grpc.insecure_channel(f"unix://{settings.sockets}/{endpoint}") as channel:
            asked = api.message("AllocateRequest")()
            asked.container_requests.add(devices_ids=["sim-gpu-0", "sim-gpu-1"])
            asked.container_requests.add(devices_ids=["sim-gpu-1"])
            given = caller(api, channel, "Allocate")(asked, timeout=WAIT_S_MAX)
            wished = api.message("PreferredAllocationRequest")()
            wished.container_requests.add(
                available_deviceIDs=["sim-gpu-1", "sim-gpu-0"], must_include_deviceIDs=[], allocation_size=1
            )
            preferred = caller(api, channel, "GetPreferredAllocation")(wished, timeout=WAIT_S_MAX)

    assert [dict(one.envs) for one in given.container_responses] == [
        {"NVIDIA_VISIBLE_DEVICES": "sim-gpu-0,sim-gpu-1"},
        {"NVIDIA_VISIBLE_DEVICES": "sim-gpu-1"},
    ]
    assert list(preferred.container_responses[0].deviceIDs) == ["sim-gpu-0"]


def test_a_restarted_kubelet_is_registered_with_again(programs: tuple[Made, Made], settings: Made) -> None:
    """Kubelet forgets its plugins when it restarts; the plugin sees the new socket and comes back."""
    api, module = programs
    with running(module.Plugin(settings)):
        with kubelet(api, settings.sockets) as registered:
            registered.get(timeout=WAIT_S_MAX)
        with kubelet(api, settings.sockets) as registered:
            again = registered.get(timeout=WAIT_S_MAX)

    assert again.endpoint == settings.socket


def test_an_unknown_device_is_refused_by_name(programs: tuple[Made, Made], settings: Made) -> None:
    """Marking a device that is not there names those that are, and leaves no file behind."""
    with pytest.raises(ValueError, match="no device sim-gpu-7 here, but sim-gpu-0, sim-gpu-1"):
        programs[1].mark(settings, "sim-gpu-7", healthy=False)

    assert not settings.state.exists()


def told(response: Made) -> dict[str, str]:
    """Device → health, of one message to kubelet."""
    return {device.ID: device.health for device in response.devices}
