"""Tiered re-margin of a whole book and of the accounts one tick touches, beside a plain read."""

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from benchmarks.contender import ContenderFailedError
from benchmarks.kernels.plain_read import plain_read
from risk.holdings import (
    Assets,
    Balances,
    Contracts,
    MarginState,
    Positions,
    PositionState,
    Rules,
    StepTable,
    Tiers,
)
from risk.margin.buckets import evaluate
from risk.valuation import contract_value
from schemas.units import E8, PPM, Int64s
from tests.reference import margin as slow

SEED = 7
INSTRUMENTS = 200
PER_ACCOUNT = 2
"""Positions of an account; it holds a balance in each of three assets."""
SAMPLE = 300
TIERS = [
    (0, 8_000, 4_000),
    (50_000 * E8, 10_000, 5_000),
    (600_000 * E8, 20_000, 10_000),
    (3_000_000 * E8, 50_000, 25_000),
    (12_000_000 * E8, 100_000, 50_000),
    (70_000_000 * E8, 200_000, 100_000),
    (100_000_000 * E8, 250_000, 125_000),
    (230_000_000 * E8, PPM, 500_000),
]
HAIRCUTS = [[(0, 0)], [(0, 20_000), (10**14, 70_000)], [(0, 30_000), (10**14, 80_000)]]
BORROW_PPM = [0, 100_000, 100_000]
PRICES = [E8, 60_000 * E8, 3_000 * E8]


class Exchange(NamedTuple):
    """A book whose rows ascend by bucket, and the rules it is under."""

    positions: Positions
    balances: Balances
    marks_e8: Int64s
    rules: Rules
    size: int


def exchange(seed: int, accounts: int) -> Exchange:
    """Linear contracts and, one in ten, inverse ones on the second asset."""
    random = np.random.default_rng(seed)
    count = accounts * PER_ACCOUNT
    inverse = np.arange(INSTRUMENTS) % 10 == 9
    ones = np.ones(INSTRUMENTS, np.int64)
    contracts = Contracts(inverse, np.where(inverse, 100, 1) * E8, inverse * ones, ones, ones)
    tiers = Tiers.of([TIERS] * INSTRUMENTS, [PPM + 17 * row for row in range(INSTRUMENTS)])
    assets = Assets(
        np.array(PRICES, np.int64), np.array(BORROW_PPM, np.int64), StepTable.of(HAIRCUTS)
    )
    marks = np.exp(random.uniform(np.log(0.01), np.log(100_000), INSTRUMENTS))
    marks_e8 = (np.where(inverse, 60_000, marks) * E8).astype(np.int64)
    bucket = np.sort(random.integers(0, accounts, count))
    instrument = random.integers(0, INSTRUMENTS, count)
    worth = np.exp(random.normal(8, 2, count)) * random.choice([-1, 1], count)
    contract = np.where(inverse, 100 * E8, marks_e8)[instrument] / E8
    quantity_e8 = (worth / contract * E8).astype(np.int64)
    entries_e8 = (marks_e8[instrument] * random.uniform(0.9, 1.1, count)).astype(np.int64)
    cost_e8, _ = contract_value(
        inverse[instrument], contracts.multiplier_e8[instrument], quantity_e8, entries_e8
    )
    wealth = np.exp(random.normal(7, 2, (accounts, 3))) * random.choice(
        [1, 1, 1, -1], (accounts, 3)
    )
    amounts_e8 = (wealth / (np.array(PRICES) / E8) * E8).astype(np.int64)
    return Exchange(
        Positions(bucket, instrument, quantity_e8, cost_e8),
        Balances(
            np.repeat(np.arange(accounts), 3), np.tile(np.arange(3), accounts), amounts_e8.ravel()
        ),
        marks_e8,
        Rules(contracts, tiers, assets),
        accounts,
    )


def measure(runs: int, accounts: int = 500_000) -> dict[str, Any]:
    """Medians of `runs`, in seconds, beside a plain read of the book and of its states.

    `kernel_s` takes rows sorted by account into the states of the run before, `unsorted_s` the same
    rows in random order into fresh memory; `tick_s` is the choice and re-margin of the accounts
    that hold one instrument, among `tick_accounts`. A sample is checked first;
    ContenderFailedError where it is not what the slow twin says.
    """
    whole, part = exchange(SEED, accounts), exchange(SEED, accounts // 5)
    _check(whole)
    shuffled = _shuffled(whole)
    index = start_of(part.positions.bucket, part.size), start_of(part.balances.bucket, part.size)
    ticks = [
        _median(runs, lambda tick=tick: re_margin_touched(part, tick, *index))
        for tick in range(0, INSTRUMENTS, 10)
    ]
    states = evaluate(*whole)
    read = plain_read(_columns(whole.positions, whole.balances, *states))
    read_s = _median(runs, read)
    kernel_s = _median(runs, lambda: evaluate(*whole, into=states))
    return {
        "accounts": accounts,
        "positions": len(whole.positions.bucket),
        "balances": len(whole.balances.bucket),
        "instruments": INSTRUMENTS,
        "read_s": read_s,
        "kernel_s": kernel_s,
        "ratio": kernel_s / read_s,
        "unsorted_s": _median(runs, lambda: evaluate(*shuffled)),
        "tick_accounts": part.size,
        "tick_s": median(ticks),
    }


def _shuffled(of: Exchange) -> Exchange:
    random = np.random.default_rng(SEED)
    held, owned = (random.permutation(len(rows.bucket)) for rows in (of.positions, of.balances))
    return of._replace(
        positions=Positions(*[column[held] for column in _columns(of.positions)]),
        balances=Balances(*[column[owned] for column in _columns(of.balances)]),
    )


def _columns(*tables: Positions | Balances | MarginState | PositionState) -> list[Int64s]:
    """Each column once: the initial equity is most often the equity."""
    columns = [getattr(table, name) for table in tables for name in table.__slots__]
    return list({id(column): column for column in columns}.values())


def _check(of: Exchange) -> None:
    """The first accounts by the slow twin."""
    contracts, many = of.rules.contracts, range(INSTRUMENTS)
    book = slow.Book(
        contracts=[
            (bool(contracts.inverse[i]), int(contracts.multiplier_e8[i]), int(contracts.inverse[i]))
            for i in many
        ],
        marks=of.marks_e8.tolist(),
        tiers=[TIERS] * INSTRUMENTS,
        scalars=[PPM + 17 * i for i in many],
        prices=PRICES,
        borrow_weights=BORROW_PPM,
        haircuts=HAIRCUTS,
        positions=_first_rows(of.positions),
        balances=_first_rows(of.balances),
        size=SAMPLE,
    )
    margin, state = evaluate(*of)
    margins, states = slow.evaluate(book)
    for got, expected in ((margin, margins), (state, states)):
        columns = [getattr(got, name)[: len(expected)].tolist() for name in got.__slots__]
        if list(zip(*columns, strict=True)) != expected:
            raise ContenderFailedError(f"{type(got).__name__} of the first accounts is wrong")


def _first_rows(rows: Positions | Balances) -> list[tuple[int, ...]]:
    """Rows of the buckets of the sample."""
    count = int(np.searchsorted(rows.bucket, SAMPLE))
    return list(zip(*(column[:count].tolist() for column in _columns(rows)), strict=True))


def start_of(bucket: Int64s, size: int) -> Int64s:
    """The index of a book kept in order: where the rows of each bucket begin [N + 1]."""
    return np.searchsorted(bucket, np.arange(size + 1))


def re_margin_touched(of: Exchange, tick: int, held_at: Int64s, owned_at: Int64s) -> None:
    """Re-margin the buckets that hold an instrument."""
    holders = of.positions.bucket[np.flatnonzero(of.positions.instrument == tick)]
    buckets = holders[np.diff(holders, prepend=-1) > 0]
    held, place = rows_of(buckets, held_at)
    owned, owner = rows_of(buckets, owned_at)
    positions, balances = of.positions, of.balances
    evaluate(
        Positions(
            place,
            positions.instrument[held],
            positions.quantity_e8[held],
            positions.cost_e8[held],
        ),
        Balances(owner, balances.asset[owned], balances.amount_e8[owned]),
        of.marks_e8,
        of.rules,
        len(buckets),
    )


def rows_of(buckets: Int64s, start: Int64s) -> tuple[Int64s, Int64s]:
    """Rows of some buckets in order, and the place of each one's bucket among these."""
    first = start[buckets]
    many = start[buckets + 1] - first
    place = np.repeat(np.arange(len(buckets)), many)
    return np.arange(len(place)) + (first - (np.cumsum(many) - many))[place], place


def _median(runs: int, work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(runs):
        begun = perf_counter()
        work()
        seconds.append(perf_counter() - begun)
    return median(seconds)
