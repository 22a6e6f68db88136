"""A book of many accounts and its changelog, written by the worker's own code."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.loader import Loader
from benchmarks.workload import USDT, account_name, opening
from schemas.block import Int64s
from schemas.units import E8
from streams.market.events import Event
from streams.processors.cycle import Cycle
from streams.processors.shards import Shards
from streams.run.topics import changelog_topic, ensure_topics
from streams.run.worker import BROADCAST
from streams.state.account_book import CROSS, AccountBook
from streams.state.columns import ColumnTable
from streams.state.ledger import partition_of
from streams.state.recent_ids import hashes
from streams.transport.broadcast import BroadcastReader
from streams.transport.transaction import Journal, TransactionJournal

PARTITIONS = 8
ACCOUNTS_A_TURN = 20_000
MIX = np.uint64(0x9E3779B97F4A7C15)
UInt64s = NDArray[np.uint64]
Fill = Callable[[Cycle, range], None]
"""Puts the accounts of these numbers into the book of a cycle."""
Told = TypeVar("Told")


def write(bootstrap: str, app: str, accounts: int, seed: int) -> int:
    """As `written`, of accounts drawn from a seed.

    Each account has two cross positions and a balance, every third an isolated position with a
    balance of its own beside them; each position has left the id of its fill.
    """
    rng = np.random.default_rng(seed)
    return written(
        bootstrap,
        app,
        accounts,
        opening(),
        fill=lambda cycle, numbers: _fill(cycle, numbers, rng),
        tell=lambda cycle: fingerprint(cycle.ledger.book),
    )


def written(
    bootstrap: str,
    app: str,
    accounts: int,
    listing: Iterable[Event],
    *,
    fill: Fill,
    tell: Callable[[Cycle], Told],
    partitions: int = PARTITIONS,
) -> Told:
    """Fill a book and make it durable turn by turn, as a worker does; what `tell` says of it."""
    ensure_topics(bootstrap, partitions, app=app)
    loader = Loader(bootstrap)
    loader.send(listing)
    loader.flush()
    cycle = listed_cycle(bootstrap, app, partitions)
    with ThreadPoolExecutor(partitions) as commits:
        shards = Shards(cycle, changelog_topic(app), commits.submit)
        open_journal = journals(bootstrap, app)
        for partition in range(partitions):
            journal = open_journal(partition)
            journal.open()
            shards.take_over(partition, journal, {})
        for first in range(0, accounts, ACCOUNTS_A_TURN):
            fill(cycle, range(first, min(first + ACCOUNTS_A_TURN, accounts)))
            shards.turn((), (), decide=False)
        shards.settle()
        told = tell(cycle)
        for partition in range(partitions):
            shards.release(partition)
    return told


def listed_cycle(bootstrap: str, app: str, partitions: int = PARTITIONS) -> Cycle:
    """A cycle without accounts that knows what is listed on the broadcast topics."""
    cycle, reader = Cycle(partitions, app=app), BroadcastReader(bootstrap, BROADCAST)
    for block in sorted(reader.read_to_end(), key=lambda block: BROADCAST.index(block.topic)):
        cycle.take_broadcast(block)
    reader.close()
    return cycle


def journals(bootstrap: str, app: str) -> Callable[[int], Journal]:
    """What opens the journal of a partition, as the worker does."""
    return lambda number: TransactionJournal(bootstrap, f"{app}-{number}")


def fingerprint(book: AccountBook) -> int:
    """A checksum of whose balances and positions are where, whatever the order of rows."""
    names = [name.decode() for name in book.accounts.encoded(book.accounts.live_rows())]
    owner = np.zeros(book.accounts.capacity, np.uint64)
    owner[book.accounts.live] = hashes(names)
    balances = _sum(book, book.balances, owner, "asset", "amount_e8")
    positions = _sum(book, book.positions, owner, "instrument", "quantity_e8", "cost_e8")
    return (balances + positions * 3) % 2**64


def _sum(book: AccountBook, table: ColumnTable, owner: UInt64s, *columns: str) -> int:
    rows = table.live_rows()
    bucket = table["bucket"][rows]
    mixed = owner[book.buckets["account"][bucket]]
    for column in (book.buckets["instrument"][bucket], *(table[name][rows] for name in columns)):
        mixed = (mixed ^ column.astype(np.int64).view(np.uint64)) * MIX
        mixed ^= mixed >> np.uint64(29)
    return int(mixed.sum())


def _fill(cycle: Cycle, numbers: range, rng: np.random.Generator) -> None:
    names = [account_name(number) for number in numbers]
    home = np.array([partition_of(name, PARTITIONS) for name in names])
    book, instruments = cycle.ledger.book, len(cycle.ledger.rules.instruments)
    for partition in range(PARTITIONS):
        mine = np.flatnonzero(home == partition)
        if not len(mine):
            continue
        accounts = book.account_rows([names[place] for place in mine.tolist()], partition)
        book.accounts["fills"][accounts] = rng.integers(1, 10**9, len(accounts))
        cross = book.bucket_rows(accounts, np.full(len(accounts), CROSS, np.int64))
        first = rng.integers(0, instruments, len(accounts))
        second = (first + rng.integers(1, instruments, len(accounts))) % instruments
        third = rng.random(len(accounts)) < 1 / 3
        isolated = book.bucket_rows(accounts[third], first[third])
        for buckets, held in ((cross, first), (cross, second), (isolated, first[third])):
            _hold(cycle, buckets, held, rng)
        ids = rng.integers(0, 2**63, 2 * len(cross) + len(isolated)).astype(np.uint64)
        cycle.ledger.fill_ids(partition).remember(ids)


def _hold(cycle: Cycle, buckets: Int64s, held: Int64s, rng: np.random.Generator) -> None:
    """A position in each bucket, and some cash."""
    book = cycle.ledger.book
    rows = book.position_rows(buckets, held)
    book.positions["quantity_e8"][rows] = rng.integers(1, 1_000 * E8, len(rows))
    book.positions["cost_e8"][rows] = rng.integers(1, 10_000 * E8, len(rows))
    asset = np.full(len(buckets), cycle.ledger.rules.asset_number[USDT], np.int64)
    rows = book.balance_rows(buckets, asset)
    book.balances["amount_e8"][rows] = rng.integers(1, 100_000 * E8, len(rows))
