"""The five bytes in front of every value."""

import pytest

from schemas.wire import WireError, frame, unframe


def test_a_frame_is_a_zero_the_id_and_the_body() -> None:
    assert frame(258, b"body") == b"\x00\x00\x00\x01\x02body"
    assert unframe(b"\x00\x00\x00\x01\x02body") == (258, b"body")
    assert unframe(frame(2**32 - 1, b"")) == (2**32 - 1, b"")


@pytest.mark.parametrize("value", [b"", b"\x00", b"\x00\x00\x00\x01", b"\x01\x00\x00\x00\x01x"])
def test_what_has_no_header_is_refused(value: bytes) -> None:
    with pytest.raises(WireError):
        unframe(value)


@pytest.mark.parametrize("schema_id", [-1, 2**32])
def test_an_id_of_more_than_4_bytes_is_refused(schema_id: int) -> None:
    with pytest.raises(ValueError, match="4 bytes"):
        frame(schema_id, b"")
