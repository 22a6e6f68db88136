"""One account's whole state as bytes: how the changelog's records are written and read.

A record is little-endian 64-bit words, version 3, or 4 where the account ever had an order:

| words | what |
| --- | --- |
| 0 | version (8 bits), flags (8; 1 quarantined), counts of buckets, balances, positions (16 each) |
| 1 | seal: a hash of all other words and their places |
| 2-4 | offset behind the last record applied of collateral, transfers, fills |
| 5 | quarantined at, us |
| 7 a bucket | pool (32 bits, signed: an instrument's code, -1 cross), stage (8), escalated (8); |
|  | episode, outputs (32 each); breaches, step (32 each); deadline, us; step deadline, us; |
|  | number of the open liquidation order, 0 none; its bankruptcy price e8 |
| 2 a balance | bucket's place in the record, asset's code (32 each); amount e8 |
| 3 a position | bucket's place, instrument's code (32 each); quantity e8; cost e8 |
| 2 (version 4) | offset behind the last record applied of orders; count of open orders |
| 3 an order | bucket's place (31), reduce-only (1), instrument's code (32); hash of its id; |
|  | what remains e8, negative for an ask |

Codes are the partition's own (`Names`): an account's record means the same to every worker.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from schemas.block import Int64s
from streams.state.account_book import CROSS, OFFSETS, AccountBook
from streams.state.chains import Chains
from streams.state.columns import ColumnTable
from streams.state.names import Codes, Names
from streams.state.open_orders import Orders
from streams.state.packing import (
    BALANCE,
    BUCKET,
    HEAD,
    ORDER,
    ORDERS_HEAD,
    POSITION,
    QUARANTINED,
    VERSION,
    WITH_ORDERS,
    UInt64s,
    counted,
    seals_of,
    taken,
    write_heads,
    write_parts,
)

HEAD_OFFSETS = OFFSETS[:3]
LAST_OF_BUCKET = ("deadline_us", "step_deadline_us", "order_number", "order_bankruptcy_e8")
REDUCE_ONLY = 31
"""The bit that tells it."""
NTH = (1 << REDUCE_ONLY) - 1
LOW = 0xFFFF_FFFF
Coded = tuple[Int64s, Codes]
"""The partition of each, and the codes of what they name."""
Words = tuple[Int64s, ...]


class ChangelogError(RuntimeError):
    """The changelog is not what earlier workers wrote; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """Packed accounts: their rows in the book, their records, and the seal of each (uint64)."""

    rows: Int64s
    keys: list[bytes]
    values: list[bytes]
    seals: UInt64s


def pack(book: AccountBook, accounts: Int64s, names: Names) -> Sealed:
    """The records of accounts (rows of the book)."""
    buckets, owner = book.pools.of(accounts)
    balances, of_balance = _entries(book.balances, book.owned, buckets, "amount_e8")
    positions, of_position = _entries(book.positions, book.held, buckets, "quantity_e8", "cost_e8")
    orders, of_order = book.orders.of(buckets)
    keep = (book.buckets["episode"][buckets] != 0) | (book.buckets["breaches"][buckets] != 0)
    keep[of_balance] = keep[of_position] = keep[of_order] = True
    kept, owners = buckets[keep], (owner[keep], *(owner[of] for of in (of_balance, of_position)))
    counts = counted(len(accounts), (*owners, owner[of_order]))
    if counts[:3].max(initial=0) > 0xFFFF:
        raise ValueError("an account has more than 65,535 buckets, balances or positions")
    nth = np.zeros(len(buckets), np.int64)
    nth[keep] = np.arange(len(kept)) - (np.cumsum(counts[0]) - counts[0])[owners[0]]
    whose = book.accounts["partition"][accounts][owner]
    contents = (
        _bucket_words(book, kept, (whose[keep], names.instruments)),
        _balance_words(book, balances, nth[of_balance], (whose[of_balance], names.assets)),
        _position_words(book, positions, nth[of_position], (whose[of_position], names.instruments)),
    )
    columns = book.accounts
    words, bounds = write_heads(
        accounts,
        counts,
        tuple(columns[name] for name in (*OFFSETS, "quarantined_at_us")),
        columns["quarantined"],
    )
    at = bounds[:-1] + HEAD
    for of, content in zip(owners, contents, strict=True):
        write_parts(words, at, of, content)
    if len(orders):
        at += ORDERS_HEAD * (columns["orders"][accounts] > 0)
        of_orders = (whose[of_order], names.instruments)
        content = _order_words(book, orders, nth[of_order], of_orders)
        write_parts(words, at, owner[of_order], content)
    starts = bounds[:-1]
    seals = seals_of(words, starts, np.diff(bounds))
    words[starts + 1] = seals.view(np.int64)
    raw, ends = words.astype("<i8", copy=False).tobytes(), (bounds * 8).tolist()
    values = [raw[start:end] for start, end in pairwise(ends)]
    return Sealed(accounts, columns.encoded(accounts), values, seals)


def unpack(
    book: AccountBook, partition: int, keys: Sequence[bytes], values: Sequence[bytes], names: Names
) -> Int64s:
    """Put records into the book, whose partition is empty; returns the rows of the accounts.

    ChangelogError names the account whose record is damaged or of another version.
    """
    if not keys:
        return np.empty(0, np.int64)
    words, starts, counts = _checked(keys, values)
    accounts = book.account_rows(keys, partition)
    columns = book.accounts
    for number, topic in enumerate(HEAD_OFFSETS):
        columns.put(topic, accounts, words[starts + 2 + number])
    columns.put("quarantined", accounts, (words[starts] >> 8) & QUARANTINED)
    columns.put("quarantined_at_us", accounts, words[starts + 5])
    columns["seal"][accounts] = words[starts + 1].view(np.uint64)
    book.touched.clear(accounts)
    bucket_owner, bucket_words = taken(words, starts + HEAD, counts[0], BUCKET)
    at = starts + HEAD + BUCKET * counts[0]
    balance_owner, balance_words = taken(words, at, counts[1], BALANCE)
    at = at + BALANCE * counts[1]
    position_owner, position_words = taken(words, at, counts[2], POSITION)
    first = np.cumsum(counts[0]) - counts[0]
    buckets = _load_buckets(book, partition, accounts[bucket_owner], bucket_words, names)
    rows = book.balance_rows(
        buckets[first[balance_owner] + (balance_words[:, 0] & LOW)],
        names.assets.numbers(partition, balance_words[:, 0] >> 32),
    )
    book.balances["amount_e8"][rows] = balance_words[:, 1]
    rows = book.position_rows(
        buckets[first[position_owner] + (position_words[:, 0] & LOW)],
        names.instruments.numbers(partition, position_words[:, 0] >> 32),
    )
    book.positions["quantity_e8"][rows] = position_words[:, 1]
    book.positions["cost_e8"][rows] = position_words[:, 2]
    at = at + POSITION * counts[2]
    ordered = words[starts] & 0xFF == WITH_ORDERS
    columns["orders"][accounts[ordered]] = words[at[ordered]]
    owner, order_words = taken(words, at + ORDERS_HEAD, counts[3], ORDER)
    bucket = buckets[first[owner] + (order_words[:, 0] & NTH)]
    _load_orders(book, partition, (accounts[owner], bucket), order_words, names)
    return accounts


def _checked(keys: Sequence[bytes], values: Sequence[bytes]) -> tuple[Int64s, Int64s, list[Int64s]]:
    """Words, starts, counts; refuses what is not a whole record of this version."""
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    odd = (lengths % 8 != 0) | (lengths < HEAD * 8)
    _refuse(keys, odd, lambda row: f"has {lengths[row]} bytes, which no record has")
    words = np.frombuffer(b"".join(values), "<i8").astype(np.int64, copy=False)
    sizes = lengths // 8
    starts = np.cumsum(sizes) - sizes
    head = words[starts]
    version = head & 0xFF
    _refuse(
        keys,
        (version != VERSION) & (version != WITH_ORDERS),
        lambda row: (
            f"has version {version[row]}, and this worker reads versions {VERSION} and "
            f"{WITH_ORDERS}"
        ),
    )
    counts = [(head >> shift) & 0xFFFF for shift in (16, 32, 48)]
    whole = HEAD + BUCKET * counts[0] + BALANCE * counts[1] + POSITION * counts[2]
    ordered = version == WITH_ORDERS
    counts.append(np.zeros(len(keys), np.int64))
    told = ordered & (whole + ORDERS_HEAD <= sizes)
    counts[3][told] = words[(starts + whole)[told] + 1]
    whole += ordered * ORDERS_HEAD + ORDER * counts[3]
    sealed = seals_of(words, starts, sizes) == words[starts + 1].view(np.uint64)
    _refuse(keys, (sizes != whole) | ~sealed, lambda row: "is damaged: its seal does not fit")
    return words, starts, counts


def _refuse(keys: Sequence[bytes], wrong: NDArray[np.bool_], why: Callable[[int], str]) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ChangelogError(
            f"the changelog's record of {keys[row].decode(errors='replace')!r} {why(row)}; "
            f"{int(wrong.sum())} of {len(keys)} are like that"
        )


def _entries(
    table: ColumnTable, chains: Chains, buckets: Int64s, *amounts: str
) -> tuple[Int64s, Int64s]:
    """Rows of a table in these buckets that are not zero, and the place of the bucket of each."""
    rows, place = chains.of(buckets)
    some = np.zeros(len(rows), np.bool_)
    for amount in amounts:
        some |= table[amount][rows] != 0
    return rows[some], place[some]


def _bucket_words(book: AccountBook, rows: Int64s, of: Coded) -> Words:
    columns = book.buckets
    partitions, codes = of
    pool = columns["instrument"][rows].astype(np.int64)
    isolated = pool != CROSS
    if isolated.any():
        pool[isolated] = codes.codes(partitions[isolated], pool[isolated])
    stage = columns["stage"][rows].astype(np.int64)
    escalated = columns["escalated"][rows].astype(np.int64)
    return (
        (pool & LOW) | stage << 32 | escalated << 40,
        columns["episode"][rows] | columns["outputs"][rows] << 32,
        np.minimum(columns["breaches"][rows], LOW >> 1) | columns["step"][rows] << 32,
        *(columns[name][rows] for name in LAST_OF_BUCKET),
    )


def _load_buckets(
    book: AccountBook, partition: int, accounts: Int64s, words: Int64s, names: Names
) -> Int64s:
    pool = words[:, 0] & LOW
    isolated = pool != LOW
    pool[~isolated] = CROSS
    pool[isolated] = names.instruments.numbers(partition, pool[isolated])
    rows = book.bucket_rows(accounts, pool)
    columns = book.buckets
    columns.put("stage", rows, (words[:, 0] >> 32) & 0xFF)
    columns.put("escalated", rows, (words[:, 0] >> 40) & 1)
    for word, low, high in ((1, "episode", "outputs"), (2, "breaches", "step")):
        columns.put(low, rows, words[:, word] & LOW)
        columns.put(high, rows, words[:, word] >> 32)
    for word, column in enumerate(LAST_OF_BUCKET, BUCKET - len(LAST_OF_BUCKET)):
        columns.put(column, rows, words[:, word])
    return rows


def _balance_words(book: AccountBook, rows: Int64s, nth: Int64s, of: Coded) -> Words:
    """`nth` is the place of the bucket of each in its record."""
    table, (partitions, codes) = book.balances, of
    return nth | codes.codes(partitions, table["asset"][rows]) << 32, table["amount_e8"][rows]


def _position_words(book: AccountBook, rows: Int64s, nth: Int64s, of: Coded) -> Words:
    table, (partitions, codes) = book.positions, of
    what = nth | codes.codes(partitions, table["instrument"][rows]) << 32
    return what, table["quantity_e8"][rows], table["cost_e8"][rows]


def _order_words(book: AccountBook, rows: Int64s, nth: Int64s, of: Coded) -> Words:
    table, (partitions, codes) = book.orders.table, of
    what = nth | table["reduce_only"][rows].astype(np.int64) << REDUCE_ONLY
    what |= codes.codes(partitions, table["instrument"][rows]) << 32
    return what, table["id_hash"][rows].view(np.int64), table["signed_e8"][rows]


def _load_orders(
    book: AccountBook, partition: int, of: tuple[Int64s, Int64s], words: Int64s, names: Names
) -> None:
    """`of` are the account and the bucket of each."""
    book.orders.put(
        Orders(
            account=of[0],
            id_hash=words[:, 1].view(np.uint64),
            bucket=of[1],
            instrument=names.instruments.numbers(partition, words[:, 0] >> 32),
            signed_e8=words[:, 2],
            reduce_only=words[:, 0] >> REDUCE_ONLY & 1 == 1,
        )
    )
