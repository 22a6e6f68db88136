"""Ticks are judged as one rule after the other would judge them."""

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.block import Block
from schemas.record_codec import encode
from schemas.units import LIMIT_E8, US_PER_MS
from streams.state.flat_rows import read_flat
from streams.state.rules import Rules
from streams.state.tick_rules import admitted
from tests.reference.tick_rules import broken
from tests.streams.state.exchange import INSTRUMENTS, NOW_US, mark

NAMES = [one["instrument_id"] for one in INSTRUMENTS]
RULES = Rules()
for instrument in INSTRUMENTS:
    RULES.take_instrument(instrument)
AMOUNTS = st.sampled_from(
    [0, 1, -1, LIMIT_E8, LIMIT_E8 + 1, -LIMIT_E8, -LIMIT_E8 - 1, 2**63 - 1, -(2**63)]
)
TICKS = st.fixed_dictionaries(
    {},
    optional={
        "instrument_id": st.sampled_from([*NAMES, "", "NEW-PERP", "konto-ü"]),
        "source": st.sampled_from(["", "ü"]),
        "event_time": st.sampled_from([NOW_US + 1, NOW_US + 60_000_001, 0, 4_102_444_800_000_000]),
        "mark_e8": AMOUNTS,
        "index_e8": AMOUNTS,
    },
)
WRITTEN = st.sampled_from([-1, 0, NOW_US // US_PER_MS])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(TICKS, WRITTEN), max_size=6))
def test_ticks_are_judged_rule_by_rule(drawn: list[tuple[dict[str, Any], int]]) -> None:
    ticks = [mark(number) | one for number, (one, _) in enumerate(drawn)]
    n, written_ms = len(ticks), np.array([ms for _, ms in drawn], np.int64)
    values = [encode("mark", one) for one in ticks]
    block = Block("prices", 0, np.arange(n), [None] * n, values, written_ms)
    instruments, columns, refused = admitted(RULES, block, read_flat(block, "mark").columns)
    reasons = [broken(one, ms, NAMES) for one, ms in zip(ticks, written_ms.tolist(), strict=True)]
    kept = [row for row, reason in enumerate(reasons) if reason is None]
    assert columns.rows.tolist() == kept
    assert [NAMES[number] for number in instruments] == [ticks[r]["instrument_id"] for r in kept]
    assert {one.row: str(one.reason) for one in refused} == {
        row: reason for row, reason in enumerate(reasons) if reason is not None
    }
