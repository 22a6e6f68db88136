"""Block decode beside record decode on the same bytes, good and damaged."""

from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st

from schemas import block_decode
from schemas.block_decode import FEW, Decoded, decode, decode_rows
from schemas.registry import record_schema
from tests.reference.avro_reading import read_record, varint
from tests.schemas.generated import block_of
from tests.schemas.read_back import records_of


def check_twins(values: Sequence[bytes | None], record: str) -> Decoded:
    """Both agree: the same rows, the same values, the same refusals.

    Texts are read as spans and as lists, which are returned, few rows one by one and by columns.
    """
    block = block_of(values)
    accepted, refused = decode_rows(block, record)
    for spans, few in ((True, FEW), (True, 1), (False, 1)):
        with patch.object(block_decode, "FEW", few):
            decoded = decode(block, record, spans=spans)
        assert decoded.refused == refused
        assert decoded.columns.rows.tolist() == [row for row, _ in accepted]
        # NaN compares by its text.
        assert repr(records_of(decoded.columns, spans=spans)) == repr([r for _, r in accepted])
    return decoded


def readable(values: Sequence[bytes], record: str) -> list[int]:
    """The places of values whose bodies the slow reader takes."""
    fields, found = record_schema(record).fields, []
    for row, value in enumerate(values):
        try:
            read_record(fields, value[5:])
        except ValueError:
            continue
        found.append(row)
    return found


@st.composite
def damaged(draw: st.DrawFn, values: list[bytes]) -> list[bytes | None]:
    """The values with a few accidents."""
    result: list[Any] = list(values)
    for _ in range(draw(st.integers(0, 4))):
        row = draw(st.integers(0, len(values) - 1))
        value = result[row] or b""
        place = draw(st.integers(0, max(len(value) - 1, 0)))
        match draw(st.integers(0, 7)):
            case 0:
                result[row] = value[:place] + draw(st.binary(max_size=3)) + value[place + 1 :]
            case 1:
                result[row] = value[:place]
            case 2:
                following = (row + 1) % len(values)
                result[row], moved = value[:place], value[place:]
                result[following] = (result[following] or b"")[:5] + moved
            case 3:
                result[row] = bytes([draw(st.integers(0, 255))]) + value[1:]
            case 4:
                result[row] = value[:4] + bytes([draw(st.integers(0, 255))]) + value[5:]
            case 5:
                result[row] = draw(st.sampled_from([None, b"", b"\x00"]))
            case 6:
                number = draw(st.integers(-(2**70), 2**70))
                filler = varint(number, draw(st.integers(1, 12)))
                result[row] = value[:place] + filler + value[place + 1 :]
            case 7:
                result[row] = value + draw(st.binary(min_size=1, max_size=9))
    return result
