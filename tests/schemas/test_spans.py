"""Texts that stay bytes: as values, as text, behind their lengths, chosen and joined."""

import numpy as np
import pytest

from schemas.spans import Spans

VALUES = [b"BTC-PERP", b"", "konto-ü".encode(), b"\x00", b"a"]
WIDE = [b"x" * size for size in (127, 128, 300, 0, 20_000)]


@pytest.mark.parametrize("values", [VALUES, VALUES + WIDE, [b"abc", b"def"], [b""], []])
def test_values_come_back_as_they_were(values: list[bytes]) -> None:
    column = Spans.of(values)
    assert len(column) == len(values)
    assert column.values() == values
    assert column.texts() == ([value.decode() for value in values], [])
    assert column.not_utf8() == []


def test_lengths_stand_before_values_as_unsigned_varints() -> None:
    assert Spans.of([b"ab", b"", b"c"]).prefixed == b"\x02ab\x00\x01c"
    assert Spans.of([b"x" * 127, b"y" * 128]).prefixed == (
        b"\x7f" + b"x" * 127 + b"\x80\x01" + b"y" * 128
    )


@pytest.mark.parametrize("wide", [[], WIDE])
def test_bytes_that_are_no_text_are_found(wide: list[bytes]) -> None:
    # The halves of a character in two values are no character.
    column = Spans.of([b"good", "ü".encode()[:1], "ü".encode()[1:], b"\xff", *wide])
    assert column.not_utf8() == [1, 2, 3]
    assert column.texts() == (["good", "", "", "", *(value.decode() for value in wide)], [1, 2, 3])


def test_chosen_written_and_joined_columns() -> None:
    column = Spans.of(VALUES)
    assert column[np.array([4, 0])].values() == [b"a", b"BTC-PERP"]
    assert Spans.joined([column, Spans.of(WIDE), Spans.of([])]).values() == VALUES + WIDE
    copy = Spans.empty(column.source, 3)
    copy[np.array([2, 0])] = column[np.array([0, 4])]
    assert copy.values() == [b"a", b"", b"BTC-PERP"]
