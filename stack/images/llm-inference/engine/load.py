"""Loading the model: every byte of a real file is read, as a real engine's weights would be."""

import asyncio
import time
from pathlib import Path

READ_BYTES = 4 * 2**20


async def load_model(path: Path | None, *, least_s: float) -> int:
    """Read a model to its end, which takes at least `least_s`; returns its bytes.

    Raises OSError when it cannot be read, ValueError when there is nothing in it.
    """
    started_s = time.monotonic()
    size = await asyncio.to_thread(_read, path) if path else 0
    if path and not size:
        raise ValueError(f"{path} holds no bytes")
    await asyncio.sleep(max(0.0, started_s + least_s - time.monotonic()))
    return size


def _read(path: Path) -> int:
    """Bytes read from a file, or from all files under a folder."""
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    size = 0
    buffer = bytearray(READ_BYTES)
    for file in files:
        with file.open("rb", buffering=0) as opened:
            while read := opened.readinto(buffer):
                size += read
    return size
