"""A block, one partition's run of records as bytes, and the columns it decodes to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Block:
    """Records of one topic-partition in ascending offset order, undecoded.

    `offsets` and `timestamps_ms` are int64[n]; `keys` and `values` are n byte strings or None.
    """

    topic: str
    partition: int
    offsets: Int64s
    keys: Sequence[bytes | None]
    values: Sequence[bytes | None]
    timestamps_ms: Int64s

    def __post_init__(self) -> None:
        n = len(self.offsets)
        assert n == len(self.keys) == len(self.values) == len(self.timestamps_ms)
        assert n == 0 or bool(np.all(np.diff(self.offsets) > 0)), "offsets must ascend"

    def __len__(self) -> int:
        return len(self.offsets)

    @staticmethod
    def joined(run: "Sequence[Block]") -> "Block":
        """Blocks of one topic-partition, in offset order, as one."""
        if len(run) == 1:
            return run[0]
        return Block(
            run[0].topic,
            run[0].partition,
            np.concatenate([block.offsets for block in run]),
            [key for block in run for key in block.keys],
            [value for block in run for value in block.values],
            np.concatenate([block.timestamps_ms for block in run]),
        )


def taken(column: Any, places: Int64s) -> Any:
    """The values of a column at these places."""
    if isinstance(column, list):
        return [column[place] for place in places.tolist()]
    return column[places]


@dataclass(frozen=True, slots=True)
class Items:
    """The records in an array field of n rows, all in a row, as columns like those of `Columns`.

    `lengths` is int64[n], how many each row has.
    """

    lengths: Int64s
    data: dict[str, Any]
    nulls: dict[str, NDArray[np.bool_]]

    @staticmethod
    def of_rows(
        n: int, row: Int64s, data: dict[str, Any], nulls: dict[str, NDArray[np.bool_]]
    ) -> "Items":
        """Items in any order, by the row of n that each belongs to; of a row as they stand."""
        order = np.argsort(row, kind="stable")
        return Items(
            np.bincount(row, minlength=n),
            {name: taken(column, order) for name, column in data.items()},
            {name: mask[order] for name, mask in nulls.items()},
        )

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, places: Int64s) -> "Items":
        lengths = self.lengths[places]
        first = np.cumsum(self.lengths) - self.lengths
        here = np.cumsum(lengths) - lengths
        items = np.repeat(first[places] - here, lengths) + np.arange(lengths.sum())
        return Items(
            lengths,
            {name: taken(column, items) for name, column in self.data.items()},
            {name: mask[items] for name, mask in self.nulls.items()},
        )


@dataclass(frozen=True, slots=True)
class Columns:
    """The decoded rows of a block; `rows` are their places in it, ascending.

    `data` holds one column a field of the record's schema: long and enum as int64[n] (an enum as
    its symbol's number), double as float64[n], boolean as bool[n], string as a list of str, bytes
    as a list of bytes, or both as `Spans` where they were asked for, an array as `Items`.
    A null is 0, NaN, False, None or an empty span there; `nulls` has bool[n] for each nullable
    field.
    """

    record: str
    rows: Int64s
    data: dict[str, Any]
    nulls: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def chosen(self, places: Int64s) -> "Columns":
        """The columns of the rows at these places only."""
        if len(places) == len(self):
            return self
        data = {name: taken(column, places) for name, column in self.data.items()}
        nulls = {name: mask[places] for name, mask in self.nulls.items()}
        return Columns(self.record, self.rows[places], data, nulls)


def picked(column: Sequence[T], places: Int64s) -> Sequence[T]:
    """The entries at these places, which ascend; the column itself where that is all of them."""
    chosen: Sequence[T] = column if len(places) == len(column) else taken(column, places)
    return chosen
