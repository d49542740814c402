"""Counts as shades: the picture's bytes, which shade is which count, and that nothing is left out."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sealegs.report import svg
from sealegs.report.heat import LEVELS_MAX, columns_of, key, levels_of, over_time, picture
from sealegs.report.png import SHADES, SIGNATURE, Cells, data_uri, png

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 300))
PICTURES = SHAPES.flatmap(lambda shape: arrays(np.uint8, shape, elements=st.integers(0, SHADES - 1)))
AXIS = svg.Scale(low=30.0, high=250.0, start=52.0, end=868.0)


def read_back(data: bytes) -> Cells:
    """The cells of a picture, by the format's own rules; every checksum is looked at."""
    assert data.startswith(SIGNATURE)
    chunks, rest = {}, data[len(SIGNATURE) :]
    while rest:
        (length,), name = struct.unpack(">I", rest[:4]), rest[4:8]
        chunks[name] = rest[8 : 8 + length]
        assert struct.unpack(">I", rest[8 + length : 12 + length]) == (zlib.crc32(name + chunks[name]),)
        rest = rest[12 + length :]
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    columns, rows, depth, colour, *others = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colour, others) == (4, 0, [0, 0, 0])
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(rows, -1)
    assert not lines[:, 0].any()
    return np.stack((lines[:, 1:] >> 4, lines[:, 1:] & 15), axis=-1).reshape(rows, -1)[:, :columns]


@settings(deadline=None)
@given(PICTURES)
def test_a_picture_holds_its_cells(shades: Cells) -> None:
    """What is read back by the rules of the format is what was written, odd widths too."""
    assert (read_back(png(shades)) == shades).all()


def test_a_picture_of_many_blocks_holds_its_cells() -> None:
    """A block ends at 65,535 bytes, the picture does not."""
    shades = (np.arange(400 * 999) % SHADES).astype(np.uint8).reshape(400, 999)

    assert (read_back(png(shades)) == shades).all()


def test_a_picture_is_the_same_bytes_everywhere() -> None:
    """Its cells stand in it as they are: no compressor has a say."""
    shades = np.array([[0, 5, 15]], dtype=np.uint8)

    assert b"IDAT\x78\x01\x01\x03\x00\xfc\xff\x00\x05\xf0" in png(shades)
    assert data_uri(shades).startswith("data:image/png;base64,iVBORw0KGgo")


@pytest.mark.parametrize("shades", [np.zeros((0, 3), np.uint8), np.full((1, 1), 16, np.uint8)])
def test_a_picture_of_nothing_or_of_a_shade_too_many_is_refused(shades: Cells) -> None:
    """It would be a file that no one can read."""
    with pytest.raises(ValueError, match="0 to 15"):
        png(shades)


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=50))
def test_more_is_never_fainter_and_one_is_seen(numbers: list[int]) -> None:
    """Shades rise with counts, none is no shade, and a single request has one; the key names each of them."""
    counts = np.sort(np.array(numbers, dtype=np.int64))
    levels = levels_of(counts)
    shades = levels.shades(counts).astype(int)

    assert (np.diff(shades) >= 0).all()
    assert ((shades > 0) == (counts > 0)).all()
    assert len(levels.names) == len(levels.bounds) <= LEVELS_MAX
    assert len({levels.strength(level) for level in range(len(levels.bounds))}) == len(levels.bounds)


def test_levels_are_named_by_what_they_count() -> None:
    """1, 2 and 5 while they are few, then fewer to a power of ten."""
    assert levels_of(np.array([0, 3, 7])).names == ("1", "2\N{EN DASH}4", "5\N{EN DASH}7")
    assert levels_of(np.array([0])).names == ("1",)
    assert levels_of(np.array([1234])).bounds == (1, 3, 10, 30, 100, 300, 1000)
    assert levels_of(np.array([123456])).bounds == (1, 10, 100, 1000, 10000, 100000)


@settings(deadline=None)
@given(st.lists(st.floats(30.0, 250.0), max_size=200), st.integers(0, 10**7))
def test_every_moment_of_the_axis_is_in_a_cell(times_s: list[float], requests: int) -> None:
    """Cells are whole steps that cover the axis, so that counts add up to all there are."""
    edges = columns_of(AXIS, requests=requests)

    assert int(over_time(np.array(times_s), edges).sum()) == len(times_s)
    assert edges[0] == AXIS.low
    assert edges[-2] < AXIS.high <= edges[-1]
    assert len(edges) <= 222


def test_a_picture_stands_where_its_cells_do() -> None:
    """The last cell may stand out of the axis; what is shown of it does not."""
    axis = svg.Scale(low=30.0, high=253.0, start=52.0, end=868.0)
    edges = columns_of(axis, requests=240)
    counts = np.ones((1, len(edges) - 1), np.int64)
    levels = levels_of(counts)
    drawn = picture("some", counts, axis, edges, top=5, height=10, levels=levels, kind="heat")

    assert edges[[0, 1, -1]].tolist() == [30.0, 35.0, 255.0]
    assert '<mask id="some"' in drawn
    assert drawn.count('width="823.3"') == 2
    assert '<g mask="url(#some)"><rect x="52" y="5" width="816"' in drawn


def test_a_key_has_a_box_for_each_shade() -> None:
    """In the order of counts, each as strong as in the picture."""
    levels = levels_of(np.array([7]))
    drawn = key(0.0, 0.0, levels, kind="heat", words="requests:")

    assert drawn.count("<rect") == len(levels.bounds)
    assert [f'fill-opacity="{levels.strength(level):.2f}"' in drawn for level in (0, 1)] == [True, True]
