"""Accounts as words, one behind the other in one array, each sealed: the loops of `changelog`."""

import numpy as np
from numpy.typing import NDArray

from risk.compiled import compiled
from schemas.block import Int64s

UInt64s = NDArray[np.uint64]
Bools = NDArray[np.bool_]

VERSION, WITH_ORDERS = 3, 4
QUARANTINED = 1
HEAD, BUCKET, BALANCE, POSITION, ORDERS_HEAD, ORDER = 6, 7, 2, 3, 2, 3
"""Words of a record's parts: of the heads, and of one bucket, balance, position, order."""
FOLD, NEXT = np.uint64(32), np.uint64(1)
STEP, MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)


@compiled
def counted(accounts: int, owners: tuple[Int64s, Int64s, Int64s, Int64s]) -> Int64s:
    """int64[4, n]: how many buckets, balances, positions and orders each account has, by the place
    of the account of each."""
    counts = np.zeros((len(owners), accounts), np.int64)
    for kind in range(len(owners)):
        for owner in owners[kind]:
            counts[kind, owner] += 1
    return counts


@compiled
def write_heads(
    accounts: Int64s, counts: Int64s, columns: tuple[Int64s, ...], quarantined: Bools
) -> tuple[Int64s, Int64s]:
    """The records with nothing but their heads, and n + 1 bounds of them.

    `columns` are those of the book's accounts: behind which offsets of collateral, transfers, fills
    and orders they are, and when each was quarantined.
    """
    collateral, transfers, fills, orders, quarantined_at_us = columns
    bounds = np.zeros(len(accounts) + 1, np.int64)
    for place in range(len(accounts)):
        size = HEAD + BUCKET * counts[0, place] + BALANCE * counts[1, place]
        size += POSITION * counts[2, place] + ORDER * counts[3, place]
        size += ORDERS_HEAD if orders[accounts[place]] > 0 else 0
        bounds[place + 1] = bounds[place] + size
    words = np.zeros(bounds[-1], np.int64)
    for place in range(len(accounts)):
        row, at = accounts[place], bounds[place]
        version = WITH_ORDERS if orders[row] > 0 else VERSION
        flags = QUARANTINED if quarantined[row] else 0
        words[at] = version | flags << 8
        for kind in range(3):
            words[at] |= counts[kind, place] << (16 * (1 + kind))
        words[at + 2], words[at + 3] = collateral[row], transfers[row]
        words[at + 4], words[at + 5] = fills[row], quarantined_at_us[row]
        if orders[row] > 0:
            at = bounds[place + 1] - ORDERS_HEAD - ORDER * counts[3, place]
            words[at], words[at + 1] = orders[row], counts[3, place]
    return words, bounds


@compiled
def write_parts(words: Int64s, at: Int64s, owners: Int64s, parts: tuple[Int64s, ...]) -> None:
    """Words [n] of each part into the records, from `at` on, which is moved on; by account."""
    for nth in range(len(owners)):
        owner = owners[nth]
        for part in parts:
            words[at[owner]] = part[nth]
            at[owner] += 1


@compiled
def seals_of(words: Int64s, starts: Int64s, sizes: Int64s) -> UInt64s:
    """uint64[n]: a hash of a record's words but its seal, each mixed with its place."""
    seals = np.zeros(len(starts), np.uint64)
    for record in range(len(starts)):
        place, seal = np.uint64(0), np.uint64(0)
        for at in range(starts[record], starts[record] + sizes[record]):
            place += NEXT
            if at != starts[record] + 1:
                mixed = np.uint64(words[at]) + place * STEP
                for _ in range(2):
                    mixed ^= mixed >> FOLD
                    mixed *= MIX
                seal += mixed ^ (mixed >> FOLD)
        seals[record] = seal
    return seals


def taken(words: Int64s, at: Int64s, counts: Int64s, size: int) -> tuple[Int64s, Int64s]:
    """The record of each entry, and its words int64[n, size]."""
    owner = np.repeat(np.arange(len(counts)), counts)
    nth = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]
    return owner, words[(at[owner] + size * nth)[:, None] + np.arange(size)]
