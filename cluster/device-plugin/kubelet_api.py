"""kubelet's device plugin API, v1beta1: the messages and calls of a plugin that hands out names.

Names and numbers are Kubernetes' own (k8s.io/kubelet, pkg/apis/deviceplugin/v1beta1, api.proto). They stand
here as a table, made into messages when imported, so that nothing generated has to be kept in step.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

VERSION = "v1beta1"
HEALTHY = "Healthy"
UNHEALTHY = "Unhealthy"

# The fields of each message in the order of their numbers, from 1; a star repeats one.
MESSAGES: Mapping[str, tuple[str, ...]] = {
    "Empty": (),
    "DevicePluginOptions": ("bool pre_start_required", "bool get_preferred_allocation_available"),
    "RegisterRequest": (
        "string version",
        "string endpoint",
        "string resource_name",
        "DevicePluginOptions options",
    ),
    "Device": ("string ID", "string health"),
    "ListAndWatchResponse": ("*Device devices",),
    "ContainerAllocateRequest": ("*string devices_ids",),
    "AllocateRequest": ("*ContainerAllocateRequest container_requests",),
    "ContainerAllocateResponse": ("map envs",),
    "AllocateResponse": ("*ContainerAllocateResponse container_responses",),
    "PreStartContainerRequest": ("*string devices_ids",),
    "PreStartContainerResponse": (),
    "ContainerPreferredAllocationRequest": (
        "*string available_deviceIDs",
        "*string must_include_deviceIDs",
        "int32 allocation_size",
    ),
    "PreferredAllocationRequest": ("*ContainerPreferredAllocationRequest container_requests",),
    "ContainerPreferredAllocationResponse": ("*string deviceIDs",),
    "PreferredAllocationResponse": ("*ContainerPreferredAllocationResponse container_responses",),
}
# The calls of the DevicePlugin service: request, response.
CALLS: Mapping[str, tuple[str, str]] = {
    "GetDevicePluginOptions": ("Empty", "DevicePluginOptions"),
    "ListAndWatch": ("Empty", "ListAndWatchResponse"),
    "GetPreferredAllocation": ("PreferredAllocationRequest", "PreferredAllocationResponse"),
    "Allocate": ("AllocateRequest", "AllocateResponse"),
    "PreStartContainer": ("PreStartContainerRequest", "PreStartContainerResponse"),
}

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"string": _Field.TYPE_STRING, "bool": _Field.TYPE_BOOL, "int32": _Field.TYPE_INT32}


def _described() -> descriptor_pb2.FileDescriptorProto:
    """The table above as protobuf describes messages."""
    file = descriptor_pb2.FileDescriptorProto(name="deviceplugin.proto", package=VERSION, syntax="proto3")
    for message, fields in MESSAGES.items():
        described = file.message_type.add(name=message)
        for number, field in enumerate(fields, start=1):
            kind, name = field.lstrip("*").split()
            if kind == "map":
                kind = f"{message}.{_map_entry(described, name)}"
            repeated = field.startswith("*") or "." in kind
            described.field.add(
                name=name,
                number=number,
                label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL,
                type=_SCALARS.get(kind, _Field.TYPE_MESSAGE),
                type_name=None if kind in _SCALARS else f".{VERSION}.{kind}",
            )
    return file


def _map_entry(message: descriptor_pb2.DescriptorProto, field: str) -> str:
    """Name of the nested message that a map of strings to strings is on the wire."""
    entry = message.nested_type.add(name=f"{field.capitalize()}Entry")
    entry.options.map_entry = True
    for number, name in enumerate(("key", "value"), start=1):
        entry.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL, type=_Field.TYPE_STRING)
    return entry.name


_pool = descriptor_pool.DescriptorPool()
_pool.Add(_described())


def message(name: str) -> Any:  # noqa: ANN401  the class is made at import
    """Class of a message of the table."""
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{VERSION}.{name}"))


def plugin_handler(
    calls: Mapping[str, Callable[..., Any]], *, watch: Callable[..., Iterator[Any]]
) -> grpc.GenericRpcHandler:
    """What a gRPC server serves as DevicePlugin: ListAndWatch by ``watch``, the other calls by name."""
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(call, **_codec(*CALLS[name]))
        for name, call in calls.items()
    }
    handlers["ListAndWatch"] = grpc.unary_stream_rpc_method_handler(watch, **_codec(*CALLS["ListAndWatch"]))
    return grpc.method_handlers_generic_handler(f"{VERSION}.DevicePlugin", handlers)


def _codec(request: str, response: str) -> dict[str, Callable[..., Any]]:
    return {
        "request_deserializer": message(request).FromString,
        "response_serializer": message(response).SerializeToString,
    }


def register(kubelet_socket: str, *, endpoint: str, resource: str, limit_s: float) -> None:
    """Kubelet knows that ``endpoint``, a socket beside its own, serves a resource; grpc.RpcError if not."""
    with grpc.insecure_channel(f"unix://{kubelet_socket}") as channel:
        call = channel.unary_unary(
            f"/{VERSION}.Registration/Register",
            request_serializer=message("RegisterRequest").SerializeToString,
            response_deserializer=message("Empty").FromString,
        )
        options = message("DevicePluginOptions")(get_preferred_allocation_available=True)
        request = message("RegisterRequest")(
            version=VERSION, endpoint=endpoint, resource_name=resource, options=options
        )
        call(request, timeout=limit_s)
