"""Random and hand-made books, and their translation into columns."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

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
from risk.tables import TierRows
from schemas.units import E8, PPM
from tests.reference.margin import NO_CAP, Book, Reading


def ints(values: Sequence[int]) -> np.ndarray:
    return np.array(values, np.int64)


def rules_of(book: Book) -> Rules:
    inverse, multiplier, settlement = zip(*book.contracts, strict=True)
    ones = np.ones(len(inverse), np.int64)
    slow = None if book.slow_prices is None else ints(book.slow_prices)
    limits = None if book.profit_limits is None else ints(book.profit_limits).reshape(-1, 2)
    haircuts = StepTable.of(book.haircuts)
    return Rules(
        Contracts(np.array(inverse), ints(multiplier), ints(settlement), ones, ones),
        tiers_of(book.tiers, [book.reading(row) for row in range(len(book.tiers))]),
        Assets(ints(book.prices), ints(book.borrow_weights), haircuts, slow),
        book.larger_leg,
        None if limits is None else limits[:, 0],
        None if limits is None else limits[:, 1],
    )


def tiers_of(tables: Sequence[TierRows], readings: Sequence[Reading]) -> Tiers:
    return Tiers.of(
        tables,
        [reading.scalar for reading in readings],
        method=[reading.method for reading in readings],
        size_factor_ppb=[reading.factors for reading in readings],
        fee_ppm=[reading.fee for reading in readings],
        open_interest_ppm=[reading.open_interest for reading in readings],
    )


def holdings_of(book: Book) -> tuple[Positions, Balances]:
    positions = ints(book.positions).reshape(-1, 4).T
    balances = ints(book.balances).reshape(-1, 3).T
    return Positions(*positions), Balances(*balances)


def run(book: Book) -> tuple[MarginState, PositionState]:
    positions, balances = holdings_of(book)
    return evaluate(positions, balances, ints(book.marks), rules_of(book), book.size)


def rows(state: MarginState | PositionState) -> list[tuple[int, ...]]:
    columns = [getattr(state, name).tolist() for name in state.__slots__]
    return list(zip(*columns, strict=True))


PERP = (False, E8, 0)
PLAIN_TIERS = [(0, 20_000, 10_000), (100_000 * E8, 50_000, 25_000)]


def book(**changes: object) -> Book:
    """One linear perpetual settled in the valuation currency, mark 100, nothing held."""
    empty = Book(
        contracts=[PERP],
        marks=[100 * E8],
        tiers=[PLAIN_TIERS],
        scalars=[PPM],
        prices=[E8],
        borrow_weights=[0],
        haircuts=[[]],
        positions=[],
        balances=[],
        size=1,
    )
    return empty._replace(**changes)


def step_tables(most: int = 4) -> st.SearchStrategy[list[tuple[int, int]]]:
    """Tables whose floors ascend from 0 and whose rates do not decrease; possibly empty."""

    def build(floors: list[int], rates: list[int]) -> list[tuple[int, int]]:
        starts = [0, *sorted(floors)]
        ordered = sorted(rates)[: len(starts)]
        return list(zip(starts, ordered, strict=False))

    floors = st.lists(st.integers(1, 10**15), max_size=most - 1, unique=True)
    rates = st.lists(st.integers(0, PPM), min_size=0, max_size=most)
    return st.builds(build, floors, rates)


def tier_tables() -> st.SearchStrategy[list[tuple[int, int, int]]]:
    """Tables with an initial rate at least the maintenance rate, both not decreasing."""

    def build(table: list[tuple[int, int]], parts: int) -> list[tuple[int, int, int]]:
        return [(floor, rate, rate * parts // 4) for floor, rate in table]

    return st.builds(build, step_tables(), st.integers(0, 4))


def readings() -> st.SearchStrategy[Reading]:
    """Every method, with scalars and fees that keep effective rates within 400%."""
    ppm = st.integers(0, PPM) | st.just(0)
    scalar = st.integers(0, 3 * PPM) | st.just(PPM)
    factors = st.tuples(*[st.integers(0, 10**7) | st.integers(0, 4 * 10**9)] * 2)
    ordered = factors.map(lambda pair: (max(pair), min(pair)))
    by_tier = st.tuples(scalar, st.sampled_from(["marginal", "whole"]), st.just((0, 0)), ppm, ppm)
    by_root = st.tuples(scalar, st.just("sqrt"), ordered, ppm, ppm)
    return (by_tier | by_root).map(lambda row: Reading(*row))


@st.composite
def books(draw: st.DrawFn) -> Book:
    """Books of up to 3 instruments, 3 assets, 3 buckets, linear and inverse."""
    assets, size = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    instruments = draw(st.integers(1, 3))
    bucket, asset = st.integers(0, size - 1), st.integers(0, assets - 1)
    amount = st.integers(-(10**13), 10**13) | st.integers(-3, 3)
    price = st.integers(10**5, 10**13) | st.just(E8)

    def exactly(count: int, values: st.SearchStrategy) -> st.SearchStrategy[list]:
        return st.lists(values, min_size=count, max_size=count)

    multiplier = st.sampled_from([1, 10**5, E8, 10 * E8])
    # A quantity small enough for its value at the dearest mark to fit.
    quantity = st.integers(-(10**10), 10**10) | st.integers(-2, 2)
    contract = st.tuples(st.booleans(), multiplier, asset)
    position = st.tuples(bucket, st.integers(0, instruments - 1), quantity, amount)

    def perhaps(values: st.SearchStrategy) -> object:
        return draw(st.none() | values)

    price_of = exactly(assets, price.filter(lambda value: value <= 10**10))
    limit = st.tuples(st.integers(0, PPM), st.integers(0, 10**13) | st.just(NO_CAP))
    return Book(
        contracts=draw(exactly(instruments, contract)),
        marks=draw(exactly(instruments, st.integers(10**6, 10**12))),
        tiers=draw(exactly(instruments, tier_tables())),
        scalars=draw(exactly(instruments, st.integers(0, 3 * PPM) | st.just(PPM))),
        prices=draw(price_of),
        borrow_weights=draw(exactly(assets, st.integers(0, PPM))),
        haircuts=draw(exactly(assets, step_tables())),
        positions=draw(st.lists(position, max_size=8)),
        balances=draw(st.lists(st.tuples(bucket, asset, amount), max_size=8)),
        size=size,
        readings=perhaps(exactly(instruments, readings())),
        slow_prices=perhaps(price_of),
        profit_limits=perhaps(exactly(instruments, limit)),
        larger_leg=draw(st.booleans()),
    )


def crowd(seed: int, *, positions: int, size: int) -> Book:
    """A book of many buckets under every rule at once, from a seed."""
    random = np.random.default_rng(seed)

    def column(low: int, high: int, count: int) -> list[int]:
        return random.integers(low, high, count).tolist()

    tiers = [(0, 20_000, 10_001), (10**12, 50_000, 25_003), (10**14, 90_000, 45_007)]
    owned = positions // 2
    return Book(
        contracts=[(False, E8, 0), (True, 100 * E8, 1), (False, E8 // 7, 2), (False, 10 * E8, 0)],
        marks=[60_000 * E8, 60_000 * E8, 123_456_789, 7],
        tiers=[tiers, tiers[:2], tiers, [(0, 300_000, 150_000)]],
        scalars=[PPM] * 4,
        prices=[E8, 60_000 * E8, 99_999_999],
        borrow_weights=[0, 100_000, 33_333],
        haircuts=[[], [(0, 20_000), (10**14, 70_000)], [(0, 1), (10**9, 500_000), (10**13, PPM)]],
        positions=list(zip(
            column(0, size, positions),
            column(0, 4, positions),
            column(-(10**9), 10**9, positions),
            column(-(10**10), 10**10, positions),
            strict=True,
        )),
        balances=list(zip(
            column(0, size, owned), column(0, 3, owned), column(-(10**10), 10**11, owned),
            strict=True,
        )),
        size=size,
        readings=[
            Reading(1_234_567, fee=500),
            Reading(PPM, "whole", open_interest=123_456),
            Reading(999_999, "sqrt", (10**7, 3 * 10**6), 250, 1),
            Reading(),
        ],
        slow_prices=[E8, 55_000 * E8, 10**8 + 1],
        profit_limits=[(PPM, 10**11), (900_000, NO_CAP), (333_333, 10**12), (0, 0)],
        larger_leg=bool(seed % 2),
    )  # fmt: skip
