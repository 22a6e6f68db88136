"""One record at a time: what goes in comes out, and whatever else the bytes are is refused."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import record_codec
from schemas.dead_letter import DeadLetterReason, RefusedRecord
from schemas.registry import record_schema
from schemas.wire import frame
from tests.reference.avro_reading import varint
from tests.schemas.generated import RECORDS, values_of

FUNDING = record_schema("funding").schema_id
TAIL = varint(1) + b"i" + varint(1) + b"f" + bytes(8) + varint(7) + b"\0"


def refusal(value: bytes | None, expected: str | None = None) -> tuple[DeadLetterReason, str]:
    with pytest.raises(RefusedRecord) as caught:
        record_codec.decode(value, expected)
    return caught.value.reason, caught.value.message


@pytest.mark.parametrize("record", RECORDS)
@given(data=st.data())
def test_every_record_round_trips(record: str, data: st.DataObject) -> None:
    values = data.draw(values_of(record))
    framed = record_codec.encode(record, values)
    assert record_codec.decode(framed) == record_codec.decode(framed, record) == (record, values)
    assert refusal(framed + b"\x00")[0] == DeadLetterReason.UNDECODABLE
    cut = data.draw(st.integers(0, len(framed) - 1))
    assert refusal(framed[:cut])[0] == DeadLetterReason.UNDECODABLE


@given(st.binary(max_size=80), st.sampled_from(RECORDS))
def test_nothing_but_a_refusal_escapes(body: bytes, record: str) -> None:
    for value in (body, frame(record_schema(record).schema_id, body)):
        with suppress(RefusedRecord):
            name, values = record_codec.decode(value)
            again = record_codec.encode(name, values)
            assert repr(record_codec.decode(again)) == repr((name, values))


@pytest.mark.parametrize(
    ("value", "reason", "words"),
    [
        (None, "UNDECODABLE", "no value"),
        (b"", "UNDECODABLE", "too few"),
        (b"\x00\x00\x00", "UNDECODABLE", "too few"),
        (b"\x01\x00\x00\x00\x07", "UNDECODABLE", "first byte is 1"),
        (frame(999, TAIL), "UNKNOWN_SCHEMA", "no schema has the id 999"),
        (frame(record_schema("fill").schema_id, TAIL), "UNKNOWN_SCHEMA", "fill where funding"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(
    value: bytes | None, reason: str, words: str
) -> None:
    why, message = refusal(value, "funding")
    assert why == reason
    assert words in message


@pytest.mark.parametrize(
    "body",
    [
        varint(2**63) + TAIL,
        varint(-(2**63) - 1) + TAIL,
        varint(0, groups=11) + TAIL,
        b"\xff" * 40,
        varint(0) + varint(2**62),
        varint(0) + varint(-1) + b"f" + bytes(8) + varint(7),
        varint(0) + varint(2) + b"\xff\xfe" + TAIL[2:],
        varint(0) + TAIL[:-1],
        varint(0) + TAIL + b"\x00",
    ],
)
def test_a_body_that_takes_liberties_is_refused(body: bytes) -> None:
    assert refusal(frame(FUNDING, body), "funding")[0] == DeadLetterReason.UNDECODABLE


@pytest.mark.parametrize("time_us", [0, -1, 64, 2**63 - 1, -(2**63)])
def test_a_varint_longer_than_needed_is_vouched_for(time_us: int) -> None:
    values = record_codec.decode(frame(FUNDING, varint(time_us, groups=10) + TAIL))[1]
    assert values["event_time"] == time_us


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("side", b"\x01"),
        ("side", b"\x04"),
        ("liquidation_id", b"\x01"),
        ("liquidation_id", b"\x04"),
    ],
)
def test_enum_numbers_and_branches_stay_in_their_range(field: str, bad: bytes) -> None:
    values: dict[str, Any] = {
        "event_time": 0, "account_id": "", "fill_id": "", "instrument_id": "", "side": "BUY",
        "price_e8": 0, "quantity_e8": 0, "fee_e8": 0, "fee_asset": "", "liquidity": "MAKER",
        "margin_mode": "CROSS",
    }  # fmt: skip
    good = record_codec.encode("fill", values)
    place = 5 + [*values, "isolated_margin_e8", "liquidation_id"].index(field)
    assert len(good) == 18
    damaged = good[:place] + bad + good[place + 1 :]
    assert refusal(damaged)[0] == DeadLetterReason.UNDECODABLE


@pytest.mark.parametrize("byte", [2, 0x7F, 0x80, 0xFF])
def test_a_boolean_is_0_or_1(byte: int) -> None:
    arrays: dict[str, Any] = {n: [] for n in ("buckets", "balances", "positions", "greeks")}
    empty = {"event_time": 0, "account_id": "", **arrays}
    for flag in (False, True):
        values = empty | {"quarantined": flag}
        good = record_codec.encode("margin_state", values)
        assert record_codec.decode(good)[1] == values
        assert good[7] == flag
    assert "quarantined" in refusal(good[:7] + bytes([byte]) + good[8:])[1]


def tiers(array: bytes) -> bytes:
    """A body of risk_params around the bytes of its array."""
    return varint(0) * 6 + array + varint(1_000_000) + varint(0) * 4


TIER = varint(5) + varint(6) + varint(7)


def test_an_array_in_several_blocks_or_with_its_size_is_one_array() -> None:
    schema_id = record_schema("risk_params").schema_id
    tier = {"floor_e8": 5, "initial_ppm": 6, "maintenance_ppm": 7}
    for array, count in (
        (varint(0), 0),
        (varint(1) + TIER + varint(2) + TIER * 2 + varint(0), 3),
        (varint(-2) + varint(6) + TIER * 2 + varint(0), 2),
    ):
        values = record_codec.decode(frame(schema_id, tiers(array)))[1]
        assert values["tiers"] == [tier] * count


@pytest.mark.parametrize(
    "array",
    [
        varint(-1) + varint(4) + TIER + varint(0),
        varint(-1) + varint(2**40) + TIER + varint(0),
        varint(2**62) + TIER,
        varint(-(2**63)) + varint(3) + TIER,
        varint(1) + TIER,
    ],
)
def test_an_array_that_lies_about_itself_is_refused(array: bytes) -> None:
    schema_id = record_schema("risk_params").schema_id
    assert refusal(frame(schema_id, tiers(array)))[0] == DeadLetterReason.UNDECODABLE


@pytest.mark.parametrize(
    "change",
    [
        {"mark_e8": 1.5}, {"mark_e8": 2**63}, {"mark_e8": None}, {"rate": "x"},
        {"instrument_id": None}, {"instrument_id": "\ud800"}, {"surplus": 1},
    ],
)  # fmt: skip
def test_values_that_do_not_fit_are_not_written(change: dict[str, Any]) -> None:
    values = {"event_time": 1, "instrument_id": "i", "funding_id": "f", "rate": 0.1, "mark_e8": 7}
    with pytest.raises((TypeError, ValueError, OverflowError)):
        record_codec.encode("funding", values | change)
    del values["funding_id"]
    with pytest.raises(ValueError, match="funding_id"):
        record_codec.encode("funding", values)


def test_a_fraction_inside_an_array_is_not_cut_off() -> None:
    values = record_codec.decode(frame(15, tiers(varint(1) + TIER + varint(0))))[1]
    values["tiers"][0]["floor_e8"] = 0.5
    with pytest.raises(TypeError, match="floor_e8"):
        record_codec.encode("risk_params", values)
