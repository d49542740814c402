"""Runs the engine until SIGTERM: listen, load, serve, drain, exit 0."""

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from aiohttp import web

from engine.api import make_app
from engine.batching import Engine
from engine.faults import open_door
from engine.generation import log
from engine.health import GrpcHealth
from engine.load import load_model
from engine.settings import Settings, SettingsError, read_settings

EXIT_USAGE = 4
EXIT_ENVIRONMENT = 5
CLOSE_LIMIT_S = 5.0


async def serve(settings: Settings) -> int:
    """Run one engine from start to exit; returns the exit code."""
    engine = Engine(settings)
    health = GrpcHealth()
    # A client that goes away cancels its handler, which frees its slot in the batch.
    runner = web.AppRunner(
        make_app(engine), handler_cancellation=True, access_log=None, shutdown_timeout=CLOSE_LIMIT_S
    )
    await runner.setup()
    stopping = _on_signals(engine)
    stepping = asyncio.create_task(engine.run())
    try:
        grpc_port = await health.start(settings.host, port=settings.grpc_port)
        await web.TCPSite(runner, settings.host, settings.http_port).start()
        ports = {"http_port": runner.addresses[0][1], "grpc_port": grpc_port}
        if settings.faults_socket:
            await open_door(settings.faults_socket, engine.misconduct)
        log({"listening": 1, **ports, "pod": settings.pod_name})
        return await _serve_until_stopped(engine, health, stopping)
    except (OSError, RuntimeError, ValueError) as error:
        sys.stderr.write(f"engine: cannot serve: {error}\n")
        return EXIT_ENVIRONMENT
    finally:
        await runner.cleanup()
        await health.stop()
        stepping.cancel()


async def _serve_until_stopped(engine: Engine, health: GrpcHealth, stopping: asyncio.Event) -> int:
    """Load, be ready, and leave on a signal by the mode that was set."""
    settings = engine.settings
    stopped = asyncio.create_task(stopping.wait())
    path = Path(settings.model_path) if settings.model_path else None
    loading = asyncio.create_task(load_model(path, least_s=settings.model_load_s))
    await asyncio.wait({stopped, loading}, return_when=asyncio.FIRST_COMPLETED)
    if stopped.done():
        loading.cancel()
        return 0
    log({"loaded": 1, "model_bytes": loading.result(), "pod": settings.pod_name})
    engine.state = "ready"
    await health.set_serving(serving=True)
    await stopped
    engine.state = "draining"
    await health.set_serving(serving=False)
    if settings.shutdown_mode == "abort":
        engine.abort_all()
    for limit_s in (settings.drain_limit_s, CLOSE_LIMIT_S):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(engine.idle.wait(), limit_s)
        engine.abort_all()
    return 0


def _on_signals(engine: Engine) -> asyncio.Event:
    """An event that the first SIGTERM or SIGINT sets; a second one ends what is still in flight."""
    stopping = asyncio.Event()

    def stop() -> None:
        if stopping.is_set():
            engine.abort_all()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    return stopping


def main() -> int:
    """Read the settings and serve; returns the exit code."""
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"engine: settings that cannot be used:\n{error}\n")
        return EXIT_USAGE
    return asyncio.run(serve(settings))


if __name__ == "__main__":
    sys.exit(main())
