"""Which ticks keep every rule, all rows at once.

The few that break one are judged once more rule by rule, which finds the reason.
"""

import numpy as np

from schemas.block import Block, Columns, Int64s
from schemas.dead_letter import DeadLetterReason as Reason
from schemas.dead_letter import Refusal
from schemas.units import LIMIT_E8, US_PER_MS
from streams.state.admission import EARLIEST_US, LATEST_US, Admission, not_ahead
from streams.state.probing import EMPTY
from streams.state.rules import Rules


def admitted(rules: Rules, block: Block, columns: Columns) -> tuple[Int64s, Columns, list[Refusal]]:
    """Instruments int64[n] and columns of the ticks that keep every rule; the other refusals.

    `columns` are of `block`, with texts as spans.
    """
    data = columns.data
    instruments = rules.instrument_table.found(data["instrument_id"])
    times, marks, indices = data["event_time"], data["mark_e8"], data["index_e8"]
    keeps = (
        (data["instrument_id"].sizes > 0)
        & (data["source"].sizes > 0)
        & (times >= EARLIEST_US)
        & (times < LATEST_US)
        & not_ahead(block, columns)
        & (instruments != EMPTY)
        & (marks > 0)
        & (marks <= LIMIT_E8)
        & (indices >= -LIMIT_E8)
        & (indices <= LIMIT_E8)
    )
    if keeps.all():
        return instruments, columns, []
    rows = np.flatnonzero(keeps)
    refused = _refusals(rules, block, columns.chosen(np.flatnonzero(~keeps)))
    return instruments[rows], columns.chosen(rows), refused


def _refusals(rules: Rules, block: Block, columns: Columns) -> list[Refusal]:
    """Of rows that each break a rule: the first one."""
    texts = {name: columns.data[name].texts()[0] for name in ("instrument_id", "source")}
    data = columns.data | texts
    admission = Admission(Columns(columns.record, columns.rows, data, columns.nulls))
    admission.require_text("instrument_id", "source")
    admission.require_time()
    written_us = block.timestamps_ms[columns.rows] * US_PER_MS
    admission.require(
        not_ahead(block, columns),
        Reason.TIME_OUT_OF_RANGE,
        lambda row: (
            f"event_time {data['event_time'][row]} us is ahead of the record's own "
            f"time {written_us[row]} us: it would move the clock of decisions"
        ),
    )
    admission.numbers("instrument_id", rules.number, Reason.UNKNOWN_INSTRUMENT)
    admission.require_positive("mark_e8", Reason.NON_POSITIVE_PRICE)
    admission.require_range("mark_e8")
    admission.require_range("index_e8")
    assert not admission.ok.any(), "a tick was refused without a reason"
    return admission.refused
