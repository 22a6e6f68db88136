"""Records with arrays as columns: any way an array can be written, and any way it can be wrong."""

from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from schemas import record_codec
from schemas.block import Items
from schemas.block_decode import decode
from schemas.registry import record_schema
from schemas.wire import frame
from tests.reference.avro_reading import varint
from tests.schemas.generated import block_of
from tests.schemas.read_back import records_of
from tests.schemas.twins import check_twins, readable

PARAMS = record_schema("risk_params").schema_id
TIER = varint(5) + varint(-600) + varint(2**60)
CALL: dict[str, Any] = {
    "event_time": 1, "account_id": "a", "call_id": "c", "bucket": "cross", "episode": 1,
    "level": "CALL", "equity_e8": -300, "initial_margin_e8": 2, "maintenance_margin_e8": 3,
    "shortfall_initial_e8": 4, "shortfall_maintenance_e8": 5, "top_up_e8": 6, "deadline": None,
    "marks": [{"instrument_id": "BTC", "mark_e8": 2**40, "guard": "WIDE"},
              {"instrument_id": "", "mark_e8": -1, "guard": "LIVE"}],
}  # fmt: skip


def params(array: bytes) -> bytes:
    """Framed risk_params around the bytes of its array."""
    return frame(PARAMS, varint(0) * 6 + array + varint(1_000_000) + varint(0) * 4)


def tiers(count: int) -> bytes:
    """An array as it is usually written."""
    return (varint(count) + TIER * count if count else b"") + varint(0)


def test_sound_records_are_read_by_columns_alone() -> None:
    calls = [CALL | {"marks": CALL["marks"] * (n % 3)} for n in range(90)]
    block = block_of([record_codec.encode("margin_call", call) for call in calls])
    with patch.object(record_codec, "decode", side_effect=AssertionError("one by one")):
        columns = decode(block, "margin_call").columns
    assert records_of(columns, spans=False) == calls


def test_rows_with_many_few_and_no_items() -> None:
    counts = [0, 1, 40, 2, 0, 7, 1, 1, 1, 1, 1, 1, 1, 0, 3, 40]
    decoded = check_twins([params(tiers(count)) for count in counts * 2], "risk_params")
    assert decoded.columns.data["tiers"].lengths.tolist() == counts * 2
    assert decoded.refused == []


def test_an_array_in_several_runs_or_with_its_size_stands_between_its_neighbours() -> None:
    arrays = [
        tiers(2),
        varint(1) + TIER + varint(2) + TIER * 2 + varint(0),
        varint(-2) + varint(2 * len(TIER)) + TIER * 2 + varint(0),
        varint(2, groups=4) + TIER * 2 + varint(0, groups=3),
        tiers(1),
    ]
    decoded = check_twins([params(array) for array in arrays], "risk_params")
    assert decoded.columns.data["tiers"].lengths.tolist() == [2, 3, 2, 2, 1]


@pytest.mark.parametrize("count", [-1, -2, 3, 4, 2**40, 2**61, 2**62, -(2**63), 2**64])
def test_a_count_that_is_not_true_refuses_its_row_alone(count: int) -> None:
    wrong = params(varint(count) + TIER * 2 + varint(0))
    decoded = check_twins([params(tiers(2)), wrong, params(tiers(3))] * 9, "risk_params")
    assert decoded.columns.data["tiers"].lengths.tolist() == [2, 3] * 9
    assert [refusal.row for refusal in decoded.refused] == list(range(1, 27, 3))


def test_every_byte_of_a_call_replaced_by_telling_ones() -> None:
    good = record_codec.encode("margin_call", CALL)
    telling = bytes([*range(11), 0x7E, 0x7F, 0x80, 0x81, 0xC3, 0xFE, 0xFF])
    values = [
        good[:place] + bytes([byte]) + good[place + 1 :]
        for place in range(5, len(good))
        for byte in telling
    ]
    decoded = check_twins(values, "margin_call")
    assert decoded.columns.rows.tolist() == readable(values, "margin_call")


def test_a_call_cut_anywhere_and_one_that_goes_on_in_its_neighbour() -> None:
    good = record_codec.encode("margin_call", CALL)
    for moved in range(1, len(good) - 5):
        values = [good, good + good[5 : 5 + moved], good[5 + moved :], good[:-moved], good]
        decoded = check_twins(values, "margin_call")
        assert decoded.columns.rows.tolist() == [0, 4]


def test_chosen_rows_take_their_own_items_along() -> None:
    calls = [CALL | {"marks": CALL["marks"] * n} for n in (1, 0, 3, 2)]
    values = [record_codec.encode("margin_call", call) for call in calls]
    columns = decode(block_of(values), "margin_call").columns.chosen(np.array([1, 2, 3]))
    marks = columns.data["marks"]
    assert isinstance(marks, Items)
    assert marks.lengths.tolist() == [0, 6, 4]
    assert marks.data["instrument_id"] == ["BTC", ""] * 5
    assert marks.data["mark_e8"].tolist() == [2**40, -1] * 5
