"""A small grey picture as a PNG, a pixel a cell, for an address that holds its own data.

Its cells are stored, not compressed: compressors differ between machines, and the same cells have to give the
same bytes. Formats: W3C, Portable Network Graphics (Third Edition); RFC 1950 and 1951 for the stored blocks.
"""

import base64
import struct
import zlib

import numpy as np
import numpy.typing as npt

SHADES = 16  # 4 bits a cell: black is 0, white is 15
SIGNATURE = b"\x89PNG\r\n\x1a\n"
BLOCK_MAX = 0xFFFF

Cells = npt.NDArray[np.uint8]


def data_uri(shades: Cells) -> str:
    """The picture of some cells (rows from the top, columns from the left) as an address."""
    return "data:image/png;base64," + base64.b64encode(png(shades)).decode("ascii")


def png(shades: Cells) -> bytes:
    """The picture as a file. ValueError when a cell is no shade of 0 to 15."""
    if shades.size == 0 or shades.max() >= SHADES:
        raise ValueError(f"a picture has cells, and each a shade of 0 to {SHADES - 1}")
    rows, columns = shades.shape
    header = struct.pack(">IIBBBBB", columns, rows, 4, 0, 0, 0, 0)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", _stored(_packed(shades))) + _chunk(b"IEND")


def _packed(shades: Cells) -> bytes:
    """Each row behind a zero, which says that it is not filtered, two cells a byte."""
    rows, columns = shades.shape
    even = np.zeros((rows, columns + columns % 2), dtype=np.uint8)
    even[:, :columns] = shades
    lines = np.zeros((rows, 1 + even.shape[1] // 2), dtype=np.uint8)
    lines[:, 1:] = even[:, ::2] << 4 | even[:, 1::2]
    return lines.tobytes()


def _stored(raw: bytes) -> bytes:
    """Bytes as a zlib stream of stored blocks."""
    starts = range(0, len(raw), BLOCK_MAX)
    blocks = b"".join(
        struct.pack("<BHH", start == starts[-1], len(block), len(block) ^ 0xFFFF) + block
        for start in starts
        for block in [raw[start : start + BLOCK_MAX]]
    )
    return b"\x78\x01" + blocks + struct.pack(">I", zlib.adler32(raw))


def _chunk(name: bytes, data: bytes = b"") -> bytes:
    """One part of the file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
