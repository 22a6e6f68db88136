"""Reads at per-row cursors stay within their rows, also for types no flat record has yet."""

import numpy as np

from schemas.block_read import Rows, read_booleans, read_longs
from schemas.spans import Bytes
from tests.reference.avro_reading import varint


def rows_of(values: list[bytes]) -> tuple[Bytes, Rows]:
    sizes = np.array([len(value) for value in values], dtype=np.int64)
    end = np.cumsum(sizes)
    return Bytes(values), Rows(end - sizes, end, np.ones(len(values), dtype=np.bool_))


def test_a_boolean_is_one_byte_of_its_own_row_0_or_1() -> None:
    source, rows = rows_of([b"\x00", b"\x01", b"\x02", b"", b"\x01\x01", b"\xff"])
    values = read_booleans(source, rows)
    assert values.dtype == np.bool_
    assert rows.sound.tolist() == [True, True, False, False, True, False]
    assert values[rows.sound].tolist() == [False, True, True]
    assert (rows.end - rows.at).tolist() == [0, 0, 0, 0, 1, 0]


def test_a_number_does_not_go_on_in_the_next_row() -> None:
    source, rows = rows_of([varint(-300), b"\x80", b"\x01", b"\xff" * 9, varint(2**61)])
    values = read_longs(source, rows)
    assert rows.sound.tolist() == [True, False, True, False, True]
    assert values[rows.sound].tolist() == [-300, -1, 2**61]
    assert bool(np.all(rows.at <= rows.end))
