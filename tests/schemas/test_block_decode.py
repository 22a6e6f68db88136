"""Block decode and record decode agree: the same rows, the same values, the same refusals."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import record_codec
from schemas.dead_letter import DeadLetterReason
from schemas.registry import record_schema
from schemas.wire import frame
from tests.reference.avro_reading import read_record, varint
from tests.schemas.generated import RECORDS, values_of
from tests.schemas.twins import check_twins, damaged, readable

FILL: dict[str, Any] = {
    "event_time": 1_700_000_000_000_000, "account_id": "acc-1", "fill_id": "f-1",
    "instrument_id": "BTC-PERP", "side": "SELL", "price_e8": 6_400_050_000_000,
    "quantity_e8": 25_000_000, "fee_e8": -130, "fee_asset": "USDT", "liquidity": "MAKER",
    "margin_mode": "ISOLATED", "isolated_margin_e8": 1, "liquidation_id": "acc-1/cross/1/2",
}  # fmt: skip
TAIL = varint(1) + b"i" + varint(1) + b"f" + bytes(8) + varint(7)


@pytest.mark.parametrize("record", RECORDS)
@settings(max_examples=30)
@given(data=st.data())
def test_twins_agree_on_good_and_damaged_blocks(record: str, data: st.DataObject) -> None:
    rows = data.draw(st.lists(values_of(record), min_size=1, max_size=8))
    values = [record_codec.encode(record, row) for row in rows]
    assert check_twins(values, record).refused == []
    check_twins(data.draw(damaged(values)), record)


@pytest.mark.parametrize("record", RECORDS)
@settings(max_examples=20)
@given(bodies=st.lists(st.binary(max_size=60), max_size=8))
def test_twins_agree_on_noise(record: str, bodies: list[bytes]) -> None:
    schema_id = record_schema(record).schema_id
    check_twins([frame(schema_id, body) for body in bodies], record)


def test_every_byte_of_a_fill_replaced_by_every_other() -> None:
    good = record_codec.encode("fill", FILL)
    values = [
        good[:place] + bytes([byte]) + good[place + 1 :]
        for place in range(5, len(good))
        for byte in range(256)
    ]
    decoded = check_twins(values, "fill")
    assert decoded.columns.rows.tolist() == readable(values, "fill")


def test_a_fill_cut_anywhere_beside_a_whole_one() -> None:
    good = record_codec.encode("fill", FILL)
    values = [part for cut in range(len(good)) for part in (good[:cut], good)]
    decoded = check_twins(values, "fill")
    assert decoded.columns.rows.tolist() == list(range(1, 2 * len(good), 2))
    assert set(decoded.columns.data["fill_id"]) == {"f-1"}


def test_no_record_borrows_from_its_neighbour() -> None:
    """The bytes of two records in a row are right, only the border between them is not."""
    good = record_codec.encode("fill", FILL)
    for moved in range(1, len(good) - 5):
        values = [good, good + good[5 : 5 + moved], good[5 + moved :], good]
        decoded = check_twins(values, "fill")
        assert decoded.columns.rows.tolist() == [0, 3]
        assert [refusal.row for refusal in decoded.refused] == [1, 2]


def test_headers_and_missing_values_are_refused_by_reason() -> None:
    good = record_codec.encode("fill", FILL)
    other = record_codec.encode("funding", {
        "event_time": 1, "instrument_id": "i", "funding_id": "f", "rate": 0.1, "mark_e8": 7,
    })  # fmt: skip
    values = [good, None, b"", b"\x01" + good[1:], frame(999, good[5:]), other, good]
    decoded = check_twins(values, "fill")
    assert decoded.columns.rows.tolist() == [0, 6]
    assert [(refusal.row, refusal.reason) for refusal in decoded.refused] == [
        (1, DeadLetterReason.UNDECODABLE),
        (2, DeadLetterReason.UNDECODABLE),
        (3, DeadLetterReason.UNDECODABLE),
        (4, DeadLetterReason.UNKNOWN_SCHEMA),
        (5, DeadLetterReason.UNKNOWN_SCHEMA),
    ]


@pytest.mark.parametrize("groups", range(1, 13))
@pytest.mark.parametrize("exponent", [0, 6, 7, 13, 34, 55, 56, 61, 62, 63, 64])
def test_numbers_of_every_length_read_as_their_slow_twin_reads_them(
    groups: int, exponent: int
) -> None:
    numbers = [sign * (2**exponent + more) for sign in (1, -1) for more in (-1, 0, 1)]
    bodies = [varint(number, groups) + TAIL for number in numbers]
    schema = record_schema("funding")
    decoded = check_twins([frame(schema.schema_id, body) for body in bodies], "funding")
    expected = []
    for row, body in enumerate(bodies):
        try:
            expected.append((row, read_record(schema.fields, body)["event_time"]))
        except ValueError:
            continue
    columns = decoded.columns
    times = columns.data["event_time"].tolist()
    assert list(zip(columns.rows.tolist(), times, strict=True)) == expected


@pytest.mark.parametrize("size", [0, 126, 127, 128, 129, 5_000_000])
@pytest.mark.parametrize("letter", ["a", "é", "\x00"])
def test_long_and_foreign_texts(size: int, letter: str) -> None:
    long_one = record_codec.encode("fill", FILL | {"account_id": letter * size})
    good = record_codec.encode("fill", FILL)
    decoded = check_twins([good, long_one, good], "fill")
    assert decoded.columns.data["account_id"] == ["acc-1", letter * size, "acc-1"]


def test_a_length_of_2_to_the_63_reads_nothing() -> None:
    head = varint(0)
    bodies = [head + varint(size) + b"x" * 20 for size in (2**63 - 1, 2**62, 2**40, -1, -(2**63))]
    decoded = check_twins([frame(7, body) for body in bodies], "funding")
    assert len(decoded.refused) == len(bodies)


def test_an_empty_block_has_empty_columns() -> None:
    decoded = check_twins([], "mark")
    assert len(decoded.columns) == 0
