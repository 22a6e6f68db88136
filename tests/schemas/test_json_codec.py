"""Records as JSON: exact both ways, and strict about everything else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import json_codec
from schemas.dead_letter import DeadLetterReason, RefusedRecord
from tests.schemas.generated import RECORDS, values_of

MARK: dict[str, Any] = {
    "event_time": "2024-02-29T12:00:00.000001Z", "instrument_id": "BTC-PERP", "source": "simulator",
    "sequence": 12, "mark_e8": "64000.5", "index_e8": "64000",
}  # fmt: skip
PARAMS: dict[str, Any] = {
    "event_time": 0, "subject": "BTC-PERP", "version": 1, "effective_at": 0, "reason": "listing",
    "tier_method": "MARGINAL",
    "tiers": [{"floor_e8": "0", "initial_ppm": 50_000, "maintenance_ppm": 25_000}],
}  # fmt: skip


def decode(record: str, values: Any) -> dict[str, Any]:
    return json_codec.decode(record, json.dumps(values).encode())


def refusal(record: str, data: bytes) -> RefusedRecord:
    with pytest.raises(RefusedRecord) as caught:
        json_codec.decode(record, data)
    return caught.value


@pytest.mark.parametrize("record", RECORDS)
@given(data=st.data())
def test_every_record_round_trips(record: str, data: st.DataObject) -> None:
    values = data.draw(values_of(record, in_range=True))
    assert json_codec.decode(record, json_codec.encode(record, values)) == values


def test_it_reads_as_people_would_write_it() -> None:
    values = decode("mark", MARK)
    assert values["event_time"] == 1_709_208_000_000_001
    assert values["mark_e8"] == 6_400_050_000_000
    assert values["bid_e8"] is None
    shown = json.loads(json_codec.encode("mark", values))
    assert {name: shown[name] for name in MARK} == MARK
    assert shown["ask_e8"] is None


def test_missing_fields_take_their_default_in_both_directions() -> None:
    values = decode("risk_params", PARAMS)
    assert values["margin_scalar_ppm"] == 1_000_000
    del values["margin_scalar_ppm"]
    assert json.loads(json_codec.encode("risk_params", values))["margin_scalar_ppm"] == 1_000_000
    fill = json.loads(json_codec.encode("fill", {
        "event_time": 0, "account_id": "a", "fill_id": "f", "instrument_id": "i", "side": "BUY",
        "price_e8": 1, "quantity_e8": 1, "fee_e8": 0, "fee_asset": "USD", "liquidity": "MAKER",
        "margin_mode": "CROSS",
    }))  # fmt: skip
    assert (fill["isolated_margin_e8"], fill["liquidation_id"]) == ("0", None)


@pytest.mark.parametrize("time_us", [0, -1, 1_709_208_000_000_001, -62_135_596_800_000_000])
def test_times_may_be_integer_microseconds(time_us: int) -> None:
    values = decode("mark", MARK | {"event_time": time_us})
    assert values["event_time"] == time_us
    assert json_codec.decode("mark", json_codec.encode("mark", values)) == values


@pytest.mark.parametrize(
    ("name", "bad", "reason"),
    [
        ("event_time", "2024-02-30T12:00:00.000000Z", "UNDECODABLE"),
        ("event_time", "2024-02-29T12:00:00.000000", "UNDECODABLE"),
        ("event_time", "2024-02-29T12:00:00.0000001Z", "UNDECODABLE"),
        ("event_time", 10**18, "TIME_OUT_OF_RANGE"),
        ("event_time", 1.0, "UNDECODABLE"),
        ("instrument_id", 7, "UNDECODABLE"),
        ("instrument_id", None, "UNDECODABLE"),
        ("instrument_id", "\ud800", "UNDECODABLE"),
        ("sequence", "12", "UNDECODABLE"),
        ("sequence", 12.0, "UNDECODABLE"),
        ("sequence", True, "UNDECODABLE"),
        ("sequence", 2**63, "UNDECODABLE"),
        ("mark_e8", 64000.5, "UNDECODABLE"),
        ("mark_e8", 64000, "UNDECODABLE"),
        ("mark_e8", "1e3", "UNDECODABLE"),
        ("mark_e8", " 1", "UNDECODABLE"),
        ("mark_e8", "1_000", "UNDECODABLE"),
        ("mark_e8", "٣", "UNDECODABLE"),
        ("mark_e8", "NaN", "UNDECODABLE"),
        ("mark_e8", "0.123456789", "UNDECODABLE"),
        ("mark_e8", "1" * 5_000_000, "UNDECODABLE"),
        ("mark_e8", "10000000000", "AMOUNT_OUT_OF_RANGE"),
        ("mark_e8", None, "UNDECODABLE"),
        ("implied_volatility", "0.5", "UNDECODABLE"),
        ("implied_volatility", True, "UNDECODABLE"),
        ("implied_volatility", 10**400, "UNDECODABLE"),
        ("surplus", 1, "UNDECODABLE"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_name(name: str, bad: Any, reason: str) -> None:
    error = refusal("mark", json.dumps(MARK | {name: bad}).encode())
    assert error.reason == reason
    assert name in error.message
    assert len(error.message) < 300


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999"])
def test_what_is_no_finite_number_is_refused(number: bytes) -> None:
    data = json.dumps(MARK | {"implied_volatility": 8.25}).encode().replace(b"8.25", number)
    assert refusal("mark", data).reason == DeadLetterReason.UNDECODABLE


@pytest.mark.parametrize("name", MARK)
def test_a_missing_field_is_named(name: str) -> None:
    values = {key: value for key, value in MARK.items() if key != name}
    error = refusal("mark", json.dumps(values).encode())
    assert error.reason == DeadLetterReason.MISSING_FIELD
    assert f"mark.{name} " in error.message


def test_a_missing_field_within_an_array_is_named_with_its_place() -> None:
    tiers = [*PARAMS["tiers"], {"floor_e8": "1", "initial_ppm": 1}]
    error = refusal("risk_params", json.dumps(PARAMS | {"tiers": tiers}).encode())
    assert error.reason == DeadLetterReason.MISSING_FIELD
    assert "risk_params.tiers[1].maintenance_ppm " in error.message


@pytest.mark.parametrize("tiers", [None, {}, [None], [[]], [{"floor_e8": "0", "surplus": 1}]])
def test_an_array_holds_its_records_only(tiers: Any) -> None:
    error = refusal("risk_params", json.dumps(PARAMS | {"tiers": tiers}).encode())
    assert error.reason == DeadLetterReason.UNDECODABLE
    assert "tiers" in error.message


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"null", b"7", b'"x"', b"{", b"\xff{}", '{"a":1}'.encode("utf-16"),
        b"[" * 200_000, b'{"version":' + b"9" * 5_000 + b"}", b'{"source":"a","source":"b"}',
    ],
)  # fmt: skip
def test_what_is_no_object_is_refused(data: bytes) -> None:
    assert refusal("mark", data).reason == DeadLetterReason.UNDECODABLE


@given(st.binary(max_size=60))
def test_nothing_but_a_refusal_escapes(data: bytes) -> None:
    refusal("mark", data)


@pytest.mark.parametrize("text", ["####", "YQ", 7])
def test_bytes_are_base64(text: Any) -> None:
    letter = {
        "event_time": 0, "topic": "fills", "partition": 0, "offset": 1, "reason": "WRONG_KEY",
        "message": "why", "key": "a2V5",
    }  # fmt: skip
    assert decode("dead_letter", letter)["key"] == b"key"
    assert refusal("dead_letter", json.dumps(letter | {"key": text}).encode()).reason == (
        DeadLetterReason.UNDECODABLE
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"mark_e8": 10**18}, "AMOUNT_OUT_OF_RANGE"),
        ({"mark_e8": 1.5}, "UNDECODABLE"),
        ({"event_time": 2**62}, "TIME_OUT_OF_RANGE"),
        ({"implied_volatility": float("nan")}, "UNDECODABLE"),
        ({"surplus": 1}, "UNDECODABLE"),
    ],
)
def test_what_could_not_be_read_back_is_not_written(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(RefusedRecord) as caught:
        json_codec.encode("mark", decode("mark", MARK) | change)
    assert caught.value.reason == reason
