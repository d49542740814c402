"""grpc.health.v1 on its own port: Check and Watch say what the HTTP probes say."""

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import OVERALL_HEALTH, aio

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


class GrpcHealth:
    """The health service of one engine, under the overall name and under its own."""

    SERVICES = (OVERALL_HEALTH, "llm-inference")

    def __init__(self) -> None:
        self._servicer = aio.HealthServicer()
        self._server = grpc.aio.server()
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, self._server)

    async def start(self, host: str, *, port: int) -> int:
        """Listen, not serving yet; returns the port. RuntimeError when the port cannot be had."""
        await self.set_serving(serving=False)
        bound = int(self._server.add_insecure_port(f"{host}:{port}"))
        await self._server.start()
        return bound

    async def set_serving(self, *, serving: bool) -> None:
        """What Check answers and Watch tells from now on."""
        for service in self.SERVICES:
            await self._servicer.set(service, SERVING if serving else NOT_SERVING)

    async def stop(self) -> None:
        """Close the port and every watch on it."""
        await self._server.stop(grace=0)
