"""The outputs of a turn as records to produce: their bytes, and what their headers tell."""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.block_encode import encode_all
from schemas.topics import BY_NAME
from streams.processors.encoding import encode
from streams.processors.outputs import Output, Outputs, Table
from streams.transport.publisher import BY_KEY
from streams.transport.transaction import Record

Header = tuple[str, bytes]
VERSION = ("plimsoll-version", b"1")


def written(outputs: Outputs, applied: Mapping[int, bytes]) -> dict[int, list[Record]]:
    """The records of each partition in `applied`, which tells how far its inputs are applied."""
    tails = {number: (("plimsoll-applied", told), VERSION) for number, told in applied.items()}
    found: dict[int, list[Record]] = {number: [] for number in applied}
    values = _values(part for part in outputs.parts if isinstance(part, Output))
    for part in outputs.parts:
        if isinstance(part, Table):
            _add(found, part, tails)
            continue
        value = next(values[part.topic])
        if part.partition in found:
            origin = ("plimsoll-id", part.output_id.encode()), _source(part.source)
            headers = [*origin, *tails[part.partition]]
            record = Record(part.topic, part.key, value, headers, _slice_partition(part))
            found[part.partition].append(record)
    return found


def _values(outputs: Iterator[Output]) -> dict[str, Iterator[bytes]]:
    """By topic, the values of its records; they are encoded together."""
    by_topic: dict[str, list[Mapping[str, Any]]] = {}
    for one in outputs:
        by_topic.setdefault(one.topic, []).append(one.values)
    return {
        topic: iter(encode_all(BY_NAME[topic].record, rows)) for topic, rows in by_topic.items()
    }


def _add(
    found: dict[int, list[Record]], table: Table, tails: Mapping[int, tuple[Header, Header]]
) -> None:
    """A record each, in the order of the table; many follow from the same tick."""
    topic, values = table.topic, encode(table.columns)
    causes = {source: _source(source) for source in set(table.sources)}
    rows = (table.keys, values, table.output_ids, table.sources, table.partitions.tolist())
    for key, value, output_id, source, partition in zip(*rows, strict=True):
        if partition in found:
            headers = [("plimsoll-id", output_id.encode()), causes[source], *tails[partition]]
            found[partition].append(Record(topic, key, value, headers))


def _source(source: str) -> Header:
    return "plimsoll-source", source.encode()


def _slice_partition(one: Output) -> int:
    """A slice of a system account lives on the partition that its name tells, not its hash."""
    place = one.key.rpartition("#")[2] if isinstance(one.key, str) and one.key[:1] == "@" else ""
    return int(place) if one.topic == "transfers" and place.isdecimal() else BY_KEY
