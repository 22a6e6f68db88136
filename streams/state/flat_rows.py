"""A block of flat records to columns, compiled: one loop over the rows, a step or two a field.

Flat is a record of longs, enums, doubles and texts, each perhaps nullable. A row is vouched for
only where every read stayed within its own bytes and the last one ended exactly at their end; any
other row goes to `record_codec`, which has the last word, as in `schemas.block_decode`.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk.compiled import compiled
from schemas.block import Block, Columns, Int64s
from schemas.block_columns import gathered, merged
from schemas.block_decode import Decoded, decode_chosen
from schemas.registry import RecordSchema, record_schema
from schemas.spans import Bytes, Spans
from schemas.wire import frame
from streams.state.probing import index

UInt8s = NDArray[np.uint8]
NUMBER, TEXT, UNION, DOUBLE = 0, 1, 2, 3
"""What a step reads; a union says whether there is something for the next one to read."""
KINDS = {"long": NUMBER, "enum": NUMBER, "string": TEXT, "double": DOUBLE}
UNBOUNDED = -1
"""The limit of a long; that of an enum is how many symbols it has."""
DAMAGED, ASCII, OTHER = 0, 1, 2
"""What became of a row; OTHER has texts that may not be UTF-8."""
ONE, TWO, FOUR, LAST_BYTE = (np.uint64(shift) for shift in (1, 2, 4, 56))
ONES = np.uint64(0x0101_0101_0101_0101)
TOPS = np.uint64(0x8080_8080_8080_8080)
"""The bits of a varint's bytes that another one follows."""
EVEN_BYTES = np.uint64(0x00FF_00FF_00FF_00FF)
EVEN_PAIRS = np.uint64(0x0000_FFFF_0000_FFFF)
LOW_HALF = np.uint64(0x0000_0000_FFFF_FFFF)


def read_flat(block: Block, record: str) -> Decoded:
    """As `schemas.block_decode.decode` with spans, of a flat record."""
    schema = record_schema(record)
    step_of, layout = _layout(record)
    values = [value or b"" for value in block.values]
    source, n, steps = Bytes(values), len(values), len(layout[1])
    ends = np.cumsum(np.fromiter(map(len, values), np.int64, n))
    numbers, sizes = np.empty((steps, n), np.int64), np.empty((steps, n), np.int64)
    fates = np.empty(n, np.uint8)
    _read((source.array, source.words), ends, layout, (numbers, sizes), fates)
    data: dict[str, Any] = {}
    nulls: dict[str, NDArray[np.bool_]] = {}
    for field, step in zip(schema.fields, step_of, strict=True):
        data[field.name] = numbers[step]
        if field.nullable:
            nulls[field.name] = numbers[step - 1] == 0
        if field.kind == "string":
            data[field.name] = Spans(source, numbers[step], sizes[step])
        elif field.kind == "double":
            data[field.name] = values = numbers[step].view(np.float64)
            values[nulls.get(field.name, ())] = np.nan
    columns = Columns(record, np.arange(n), data, nulls)
    if (fates == ASCII).all():
        return Decoded(columns, [])
    return _settled(block, schema, columns, fates)


def _settled(block: Block, schema: RecordSchema, columns: Columns, fates: UInt8s) -> Decoded:
    """With the rows that are not vouched for decoded one by one."""
    sound = fates != DAMAGED
    foreign = np.flatnonzero(fates == OTHER)
    for field in schema.fields:
        if field.kind == "string":
            sound[foreign[columns.data[field.name][foreign].not_utf8()]] = False
    accepted, refused = decode_chosen(block, schema.record, np.flatnonzero(~sound).tolist())
    columns = columns.chosen(np.flatnonzero(sound))
    if accepted:
        others = gathered(accepted, schema, spans=True)
        columns = merged(columns, others) if len(columns) else others
    return Decoded(columns, refused)


@cache
def _layout(record: str) -> tuple[list[int], tuple[UInt8s, Int64s, Int64s]]:
    """The step that reads each field; the bytes before them all, kind and limit of the steps."""
    schema = record_schema(record)
    step_of, steps = list[int](), list[tuple[int, int]]()
    for field in schema.fields:
        if field.nullable:
            steps.append((UNION, 2))
        step_of.append(len(steps))
        steps.append((KINDS[field.kind], len(field.symbols) or UNBOUNDED))
    kinds, limits = np.array(steps, np.int64).T.copy()
    header = np.frombuffer(frame(schema.schema_id, b""), np.uint8)
    return step_of, (header, kinds, limits)


@compiled
def _read(
    given: tuple[UInt8s, NDArray[np.uint64]],
    ends: Int64s,
    layout: tuple[UInt8s, Int64s, Int64s],
    columns: tuple[Int64s, Int64s],
    fates: UInt8s,
) -> None:
    """Row n of the bytes ends at `ends[n]`; `columns` are numbers or begins, and sizes, [steps, n].

    What is not there is 0. One loop without a call: a call with arrays costs as much as a step.
    """
    source, words = given
    header, kinds, limits = layout
    numbers, sizes = columns
    end = index(0)
    for row in range(len(ends)):
        at, end = end, index(ends[row])
        sound, bits, there = bool(end - at >= index(len(header))), np.uint8(0), True
        for place in range(len(header)):
            sound = sound and bool(source[at + index(place)] == header[place])
        at += index(len(header))
        for step in range(len(kinds)):
            number, size = np.int64(0), np.int64(0)
            if sound and there:
                first, word = at, words[at]
                stops = ~word & TOPS
                taken = stops ^ (stops - ONE)
                at += (taken & ONES) * ONES >> LAST_BYTE
                word &= taken & ~TOPS
                word = word & EVEN_BYTES | (word & ~EVEN_BYTES) >> ONE
                word = word & EVEN_PAIRS | (word & ~EVEN_PAIRS) >> TWO
                word = word & LOW_HALF | (word & ~LOW_HALF) >> FOUR
                ended = stops > 0
                if not ended:  # a ninth byte is the last one that an amount or a time has
                    word |= (index(source[at]) & index(0x7F)) << LAST_BYTE
                    ended = source[at] < 0x80
                    at += ONE
                number = np.int64(word >> ONE) ^ -np.int64(word & ONE)
                limit = limits[step]
                sound = bool(ended and at <= end and (limit == UNBOUNDED or 0 <= number < limit))
                if kinds[step] == DOUBLE:
                    number, at = np.int64(words[first]), first + index(8)
                    sound = bool(at <= end)
                elif kinds[step] == TEXT:
                    sound = sound and bool(0 <= number <= np.int64(end - at))
                    size, number = number if sound else np.int64(0), np.int64(at)
                    for place in range(at, at + index(size)):
                        bits |= source[place]
                    at += index(size)
            numbers[step, row] = number
            sizes[step, row] = size
            there = kinds[step] != UNION or number == 1
        fates[row] = (ASCII if bits < 0x80 else OTHER) if sound and at == end else DAMAGED
