"""The engine's settings, read from the environment once and refused all at once when they are wrong."""

import math
import socket
from collections.abc import Mapping
from dataclasses import dataclass, fields

from engine.scheduler import Capacity

PORT_MAX = 65_535
MAY_BE_ZERO = {"http_port", "grpc_port", "model_load_s", "decode_step_per_seq_ms", "drain_limit_s"}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Each field is the environment variable of its name in capitals, with its default."""

    host: str = "0.0.0.0"  # noqa: S104  a pod's own address is not known before it starts
    http_port: int = 8000  # 0 takes a free one and says which
    grpc_port: int = 8001
    pod_name: str = socket.gethostname()
    model_name: str = "chatglm3-6b"  # names it answers to, with commas between; metrics carry the first
    model_path: str = ""  # a file or a folder, read to the end before ready; empty: nothing to read
    model_load_s: float = 0.0  # loading takes at least this long
    max_concurrent_requests: int = 10  # running and queued; one more is answered 429
    max_batch_size: int = 8
    kv_blocks: int = 2048
    kv_block_tokens: int = 16
    prefill_chunk_tokens: int = 512
    prefill_tokens_per_s: float = 20_000.0
    decode_step_ms: float = 4.0
    decode_step_per_seq_ms: float = 0.25
    refuse_status: int = 429  # what one more is answered
    retry_after_s: int = 1
    shutdown_mode: str = "drain"  # or abort: at SIGTERM every answer ends where it is, as vLLM's default
    drain_limit_s: float = 30.0
    faults_socket: str = ""  # where it can be told to misbehave, see engine.faults; empty: nowhere

    @property
    def model_names(self) -> tuple[str, ...]:
        """The names of the model that a request may use."""
        return tuple(name.strip() for name in self.model_name.split(",") if name.strip())

    @property
    def capacity(self) -> Capacity:
        """The accelerator these settings describe."""
        return Capacity(
            batch_max=self.max_batch_size,
            kv_blocks=self.kv_blocks,
            kv_block_tokens=self.kv_block_tokens,
            prefill_chunk_tokens=self.prefill_chunk_tokens,
            prefill_tokens_per_s=self.prefill_tokens_per_s,
            decode_step_s=self.decode_step_ms / 1000,
            decode_step_per_seq_s=self.decode_step_per_seq_ms / 1000,
        )


class SettingsError(ValueError):
    """One line for each setting that cannot be used."""


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from environment variables. SettingsError lists every problem there is."""
    values: dict[str, str | float] = {}
    problems: list[str] = []
    for setting in fields(Settings):
        name = setting.name.upper()
        text = environment.get(name, "").strip()
        if not text:
            continue
        try:
            values[setting.name] = type(getattr(Settings, setting.name))(text)
        except ValueError:
            problems.append(f"{name}={text!r}: not a {'whole ' if setting.type is int else ''}number")
            continue
        value = values[setting.name]
        if isinstance(value, str):
            continue
        if not math.isfinite(value) or value < 0 or (value == 0 and setting.name not in MAY_BE_ZERO):
            problems.append(f"{name}={text}: too small, or not finite")
        elif setting.name.endswith("_port") and value > PORT_MAX:
            problems.append(f"{name}={text}: at most {PORT_MAX}")
    settings = Settings(**values)  # type: ignore[arg-type]  # each value has its field's own type
    if not settings.model_names:
        problems.append(f"MODEL_NAME={settings.model_name!r}: at least one name")
    if settings.shutdown_mode not in {"drain", "abort"}:
        problems.append(f"SHUTDOWN_MODE={settings.shutdown_mode!r}: drain or abort")
    if problems:
        raise SettingsError("\n".join(problems))
    return settings
