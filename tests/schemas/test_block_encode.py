"""Records encoded together have the bytes of the same records encoded one by one."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import record_codec
from schemas.block_encode import FEW, encode_all
from tests.schemas.generated import RECORDS, values_of

MARK: dict[str, Any] = {"instrument_id": "BTC-PERP", "mark_e8": 6_000_000_000_000, "guard": "LIVE"}
CALL: dict[str, Any] = {
    "event_time": 1_700_000_000_000_000, "account_id": "acc-1", "call_id": "acc-1/cross/1/1",
    "bucket": "cross", "episode": 1, "level": "CALL", "equity_e8": -5, "initial_margin_e8": 0,
    "maintenance_margin_e8": 2**62, "shortfall_initial_e8": 63, "shortfall_maintenance_e8": 64,
    "top_up_e8": 8_191, "deadline": None, "marks": [MARK],
}  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(st.data())
@pytest.mark.parametrize("record", RECORDS)
def test_the_bytes_are_those_of_single_records(record: str, data: st.DataObject) -> None:
    rows = data.draw(st.lists(values_of(record), min_size=FEW + 1, max_size=FEW + 3))
    assert encode_all(record, rows) == [record_codec.encode(record, row) for row in rows]


def test_few_and_none_are_encoded_too() -> None:
    assert encode_all("margin_call", []) == []
    assert encode_all("margin_call", [CALL]) == [record_codec.encode("margin_call", CALL)]


def test_items_that_records_share_and_fields_left_to_their_defaults() -> None:
    short = {name: value for name, value in CALL.items() if name != "deadline"}
    rows = [{**short, "marks": [MARK] * size} for size in (0, 1, 2, 100)] * 3
    assert encode_all("margin_call", rows) == [
        record_codec.encode("margin_call", row) for row in rows
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("equity_e8", 1.5),
        ("equity_e8", None),
        ("equity_e8", 2**63),
        ("deadline", 1.5),
        ("bucket", 7),
        ("bucket", None),
        ("level", "SHOUT"),
        ("marks", None),
        ("marks", [{**MARK, "mark_e8": 0.5}]),
        ("marks", [{**MARK, "guard": None}]),
    ],
)
def test_what_does_not_fit_is_refused_as_in_a_single_record(field: str, value: Any) -> None:
    wrong = {**CALL, field: value}
    with pytest.raises(Exception) as alone:  # noqa: PT011 - whatever the single record raises
        record_codec.encode("margin_call", wrong)
    with pytest.raises(type(alone.value)) as together:
        encode_all("margin_call", [*[CALL] * FEW, wrong])
    assert str(together.value) == str(alone.value)


def test_a_missing_field_is_refused() -> None:
    wrong = {name: value for name, value in CALL.items() if name != "level"}
    with pytest.raises(ValueError, match="level"):
        encode_all("margin_call", [*[CALL] * FEW, wrong])
