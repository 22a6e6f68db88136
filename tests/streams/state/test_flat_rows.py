"""Flat records read in one loop: the same rows, values and refusals as one by one."""

from typing import Any

import pytest
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
from tests.streams.state.exchange import fill, mark

of_each_record = pytest.mark.parametrize("record", ["fill", "mark"])


def check_twins(values: list[Any], record: str = "fill") -> list[int]:
    """Both agree; the rows that are records."""
    block = block_of(values)
    accepted, refused = decode_rows(block, record)
    read = read_flat(block, record)
    assert read.refused == refused
    assert read.columns.rows.tolist() == [row for row, _ in accepted]
    assert repr(records_of(read.columns, spans=True)) == repr([one for _, one in accepted])
    return [row for row, _ in accepted]


@of_each_record
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_twins_agree_on_good_and_damaged_blocks(record: str, data: st.DataObject) -> None:
    rows = data.draw(st.lists(values_of(record), min_size=1, max_size=8))
    values = [encode(record, row) for row in rows]
    assert check_twins(values, record) == list(range(len(values)))
    check_twins(data.draw(damaged(values)), record)


@settings(max_examples=30, deadline=None)
@given(bodies=st.lists(st.binary(max_size=60), max_size=8))
def test_twins_agree_on_noise(bodies: list[bytes]) -> None:
    for record in ("fill", "mark"):
        check_twins([frame(record_schema(record).schema_id, body) for body in bodies], record)


@pytest.mark.parametrize(
    ("record", "values"),
    [
        ("fill", fill(1, liquidation_id="alice/cross/1/2", fee_e8=-(2**61))),
        ("mark", mark(1, bid_e8=2**61, implied_volatility=0.7, funding_rate_estimate=-1e-300)),
    ],
)
def test_every_byte_replaced_by_every_other(record: str, values: dict[str, Any]) -> None:
    good = encode(record, values)
    check_twins(
        [
            good[:place] + bytes([byte]) + good[place + 1 :]
            for place in range(len(good))
            for byte in range(256)
        ],
        record,
    )


@pytest.mark.parametrize(
    ("record", "values"), [("fill", fill(1)), ("mark", mark(1, funding_rate_estimate=0.5))]
)
def test_one_cut_anywhere_beside_a_whole_one(record: str, values: dict[str, Any]) -> None:
    good = encode(record, values)
    cuts = [part for cut in range(len(good)) for part in (good[:cut], good)]
    assert check_twins(cuts, record) == list(range(1, 2 * len(good), 2))
