"""Rows of words of many accounts in one array, account after account, each sealed."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.block import Int64s

UInt64s = NDArray[np.uint64]


class Part(NamedTuple):
    """The entries of one kind of the packed accounts, account by account."""

    size: int
    """Words of one."""
    owner: Int64s
    """Place of the account of each, ascending."""

    def nth(self, counts: Int64s) -> Int64s:
        """Place of each among those of its account."""
        nth: Int64s = np.arange(len(self.owner)) - (np.cumsum(counts) - counts)[self.owner]
        return nth


def seals_of(words: Int64s, starts: Int64s, sizes: Int64s) -> UInt64s:
    """uint64[n]: a hash of a record's words but its seal, each mixed with its place."""
    nth = (np.arange(len(words)) - np.repeat(starts, sizes)).astype(np.uint64)
    mixed = words.view(np.uint64) + (nth + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    for _ in range(2):
        mixed ^= mixed >> np.uint64(32)
        mixed *= np.uint64(0xD6E8FEB86659FD93)
    mixed ^= mixed >> np.uint64(32)
    mixed[starts + 1] = 0
    sums: UInt64s = np.add.reduceat(mixed, starts) if len(starts) else np.empty(0, np.uint64)
    return sums


def put(words: Int64s, at: Int64s, rows: Int64s) -> None:
    words[at[:, None] + np.arange(rows.shape[1])] = rows


def taken(words: Int64s, at: Int64s, counts: Int64s, size: int) -> tuple[Int64s, Int64s]:
    """The record of each entry, and its words int64[n, size]."""
    owner = np.repeat(np.arange(len(counts)), counts)
    nth = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]
    return owner, words[(at[owner] + size * nth)[:, None] + np.arange(size)]
