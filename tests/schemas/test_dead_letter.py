"""A letter keeps the bytes as they came and says why in the words of its schema."""

import pytest

from schemas import record_codec
from schemas.dead_letter import DeadLetterReason, letter
from schemas.registry import record_schema
from tests.schemas.generated import block_of


def test_reasons_are_the_symbols_of_the_schema_with_a_sentence_each() -> None:
    symbols = next(f.symbols for f in record_schema("dead_letter").fields if f.name == "reason")
    assert tuple(reason.value for reason in DeadLetterReason) == symbols
    sentences = [reason.sentence for reason in DeadLetterReason]
    assert all(sentence.endswith(".") and "\n" not in sentence for sentence in sentences)
    assert len(set(sentences)) == len(sentences)


@pytest.mark.parametrize(
    ("value", "schema_id"),
    [(b"\x00\x00\x00\x01\x02\xff\xfe", 258), (b"\x01junk\xff", None), (b"", None), (None, None)],
)
def test_a_letter_round_trips_with_its_original_bytes(
    value: bytes | None, schema_id: int | None
) -> None:
    block = block_of([b"good", value])
    values = letter(block, 1, DeadLetterReason.UNDECODABLE, "why", 77)
    assert record_codec.decode(record_codec.encode("dead_letter", values)) == (
        "dead_letter",
        {
            "event_time": 77,
            "topic": "fills",
            "partition": 3,
            "offset": 101,
            "reason": "UNDECODABLE",
            "message": "why",
            "key": b"a-key",
            "value": value,
            "schema_id": schema_id,
            "timestamp_ms": 1_700_000_000_000,
        },
    )
