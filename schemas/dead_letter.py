"""Why a record was refused, and the letter that keeps its original bytes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from schemas.block import Block
from schemas.wire import WireError, unframe


class DeadLetterReason(StrEnum):
    """The rule a record broke: the symbols of dead_letter.avsc, each with its `sentence`."""

    sentence: str

    def __new__(cls, symbol: str, sentence: str) -> Self:
        reason = str.__new__(cls, symbol)
        reason._value_ = symbol
        reason.sentence = sentence
        return reason

    UNDECODABLE = "UNDECODABLE", "Its bytes are not a record of the topic."
    UNKNOWN_SCHEMA = "UNKNOWN_SCHEMA", "It was written with a schema the topic does not have."
    MISSING_FIELD = "MISSING_FIELD", "A field without a default is missing."
    UNKNOWN_INSTRUMENT = "UNKNOWN_INSTRUMENT", "It names an instrument that is not listed."
    UNKNOWN_ASSET = "UNKNOWN_ASSET", "It names an asset that is not listed."
    OFF_TICK_PRICE = "OFF_TICK_PRICE", "Its price is not a multiple of the tick."
    OFF_LOT_QUANTITY = "OFF_LOT_QUANTITY", "Its quantity is not a multiple of the lot."
    NON_POSITIVE_PRICE = "NON_POSITIVE_PRICE", "Its price is zero or negative."
    NON_POSITIVE_QUANTITY = "NON_POSITIVE_QUANTITY", "Its quantity is zero or negative."
    AMOUNT_OUT_OF_RANGE = "AMOUNT_OUT_OF_RANGE", "An amount is too large to be kept exactly."
    TIME_OUT_OF_RANGE = "TIME_OUT_OF_RANGE", "Its time cannot be right."
    DUPLICATE_ID = "DUPLICATE_ID", "Its id was already used by another record."
    WRONG_KEY = "WRONG_KEY", "Its key does not belong to it, or to its partition."
    SETTLED_INSTRUMENT = "SETTLED_INSTRUMENT", "Its instrument is settled and no longer trades."
    AUCTION_CLOSED = "AUCTION_CLOSED", "It bids in an auction that is over, or never was."


class RefusedRecord(ValueError):  # noqa: N818 - a verdict on their bytes, not an error of ours
    """A record that is not applied: `reason` for machines, `message` for people."""

    def __init__(self, reason: DeadLetterReason, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


@dataclass(frozen=True, slots=True)
class Refusal:
    """The refusal of one row of a block."""

    row: int
    reason: DeadLetterReason
    message: str


def letter(
    block: Block, row: int, reason: DeadLetterReason, message: str, event_time_us: int
) -> dict[str, Any]:
    """The dead_letter record of a row: its bytes as they came, where from, and why."""
    value = block.values[row]
    return {
        "event_time": int(event_time_us),
        "topic": block.topic,
        "partition": int(block.partition),
        "offset": int(block.offsets[row]),
        "reason": str(reason.value),
        "message": message,
        "key": block.keys[row],
        "value": value,
        "schema_id": _schema_id(value),
        "timestamp_ms": int(block.timestamps_ms[row]),
    }


def _schema_id(value: bytes | None) -> int | None:
    if value is None:
        return None
    try:
        return unframe(value)[0]
    except WireError:
        return None
