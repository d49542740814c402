"""The engine's settings and its model load."""

import asyncio
import time
from pathlib import Path

import pytest

from engine.load import load_model
from engine.settings import SettingsError, read_settings


def test_nothing_set_is_a_working_engine() -> None:
    """The defaults are the reference stack's: eight in the batch, ten in hand."""
    settings = read_settings({})

    assert (settings.capacity.batch_max, settings.max_concurrent_requests) == (8, 10)
    assert (settings.capacity.decode_step_s, settings.capacity.decode_step_per_seq_s) == (0.004, 0.00025)
    assert (settings.http_port, settings.grpc_port, settings.shutdown_mode) == (8000, 8001, "drain")


def test_every_wrong_setting_is_named_at_once() -> None:
    """One line each: not a number, out of range, not a choice, empty."""
    wrong = {
        "HTTP_PORT": "70000",
        "MAX_BATCH_SIZE": "8.5",
        "DECODE_STEP_MS": "nan",
        "SHUTDOWN_MODE": "Drain",
        "MODEL_NAME": " , ",
    }

    with pytest.raises(SettingsError) as raised:
        read_settings(wrong)

    named = {line.split("=")[0].split(":")[0] for line in str(raised.value).splitlines()}
    assert named == set(wrong)


def test_a_model_is_read_to_its_last_byte_and_takes_its_time(tmp_path: Path) -> None:
    """A folder of files counts whole, and the load never ends before its time."""
    (tmp_path / "one.bin").write_bytes(b"x" * 5_000_000)
    (tmp_path / "two.bin").write_bytes(b"y" * 7)
    started_s = time.monotonic()

    size = asyncio.run(load_model(tmp_path, least_s=0.05))

    assert size == 5_000_007
    assert time.monotonic() - started_s >= 0.05


def test_an_empty_or_missing_model_is_an_error(tmp_path: Path) -> None:
    """An engine without weights must not become ready."""
    with pytest.raises(ValueError, match="holds no bytes"):
        asyncio.run(load_model(tmp_path, least_s=0))
    with pytest.raises(FileNotFoundError):
        asyncio.run(load_model(tmp_path / "absent", least_s=0))
