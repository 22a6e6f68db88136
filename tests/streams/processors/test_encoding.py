"""Columns are written as the bytes of the same records, encoded one by one by fastavro."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import record_codec
from schemas.block import Columns, Items
from schemas.block_columns import gathered, records_of
from schemas.registry import record_schema
from schemas.spans import Spans
from streams.processors.encoding import encode
from tests.schemas.generated import RECORDS, values_of

MARK: dict[str, Any] = {"instrument_id": "BTC-PERP", "mark_e8": 2**62, "guard": "STALE"}
CALL: dict[str, Any] = {
    "event_time": 1_700_000_000_000_000, "account_id": "konto-ü", "call_id": "konto-ü/cross/1/1",
    "bucket": "cross", "episode": 1, "level": "CURED", "equity_e8": -(2**63),
    "initial_margin_e8": 2**63 - 1, "maintenance_margin_e8": 0, "shortfall_initial_e8": 63,
    "shortfall_maintenance_e8": 64, "top_up_e8": 8_191, "deadline": None, "marks": [MARK],
}  # fmt: skip


def columns_of(record: str, rows: list[dict[str, Any]], *, spans: bool) -> Columns:
    return gathered(list(enumerate(rows)), record_schema(record), spans=spans)


@settings(deadline=None, max_examples=30)
@given(data=st.data(), spans=st.booleans())
@pytest.mark.parametrize("record", RECORDS)
def test_the_bytes_are_those_of_single_records(
    record: str, data: st.DataObject, spans: bool
) -> None:
    rows = data.draw(st.lists(values_of(record), max_size=4))
    columns = columns_of(record, rows, spans=spans)
    assert encode(columns) == [record_codec.encode(record, row) for row in rows]
    assert records_of(columns) == rows


def test_rows_and_their_items_are_chosen_in_any_order_and_more_than_once() -> None:
    rows = [{**CALL, "episode": n, "marks": [MARK] * n} for n in (0, 1, 2, 200)]
    places = np.array([3, 0, 0, 2, 1])
    chosen = columns_of("margin_call", rows, spans=True).chosen(places)
    assert encode(chosen) == [
        record_codec.encode("margin_call", rows[place]) for place in places.tolist()
    ]


def test_items_in_any_order_are_put_to_their_rows() -> None:
    names = Spans.of([b"A", "B-ü".encode()])[np.array([1, 0, 1])]
    marks = {"instrument_id": names, "mark_e8": np.array([1, 2, 3]), "guard": np.zeros(3, np.int64)}
    columns = columns_of("margin_call", [CALL] * 3, spans=False)
    columns.data["marks"] = Items.of_rows(3, np.array([2, 0, 2]), marks, {})
    told = [
        [(one["instrument_id"], one["mark_e8"]) for one in row["marks"]]
        for row in map(dict, records_of(columns))
    ]
    assert told == [[("A", 2)], [], [("B-ü", 1), ("B-ü", 3)]]
    assert [record_codec.decode(value)[1] for value in encode(columns)] == records_of(columns)
