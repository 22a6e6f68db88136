"""Flat records read in one loop: the same rows, values and refusals as one by one."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.block_decode import decode_rows
from schemas.record_codec import encode
from schemas.registry import record_schema
from schemas.wire import frame
from streams.state.flat_rows import read_flat
from tests.schemas.generated import block_of, values_of
from tests.schemas.read_back import records_of
from tests.schemas.twins import damaged
from tests.streams.state.exchange import fill


def check_twins(values: list[Any]) -> list[int]:
    """Both agree; the rows that are records."""
    block = block_of(values)
    accepted, refused = decode_rows(block, "fill")
    read = read_flat(block, "fill")
    assert read.refused == refused
    assert read.columns.rows.tolist() == [row for row, _ in accepted]
    assert records_of(read.columns, spans=True) == [record for _, record in accepted]
    return [row for row, _ in accepted]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_twins_agree_on_good_and_damaged_blocks(data: st.DataObject) -> None:
    rows = data.draw(st.lists(values_of("fill"), min_size=1, max_size=8))
    values = [encode("fill", row) for row in rows]
    assert check_twins(values) == list(range(len(values)))
    check_twins(data.draw(damaged(values)))


@settings(max_examples=30, deadline=None)
@given(bodies=st.lists(st.binary(max_size=60), max_size=8))
def test_twins_agree_on_noise(bodies: list[bytes]) -> None:
    check_twins([frame(record_schema("fill").schema_id, body) for body in bodies])


def test_every_byte_of_a_fill_replaced_by_every_other() -> None:
    good = encode("fill", fill(1, liquidation_id="alice/cross/1/2", fee_e8=-(2**61)))
    check_twins(
        [
            good[:place] + bytes([byte]) + good[place + 1 :]
            for place in range(len(good))
            for byte in range(256)
        ]
    )


def test_a_fill_cut_anywhere_beside_a_whole_one() -> None:
    good = encode("fill", fill(1))
    values = [part for cut in range(len(good)) for part in (good[:cut], good)]
    assert check_twins(values) == list(range(1, 2 * len(good), 2))
