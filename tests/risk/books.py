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
from schemas.units import E8, PPM
from tests.reference.margin import Book


def ints(values: Sequence[int]) -> np.ndarray:
    return np.array(values, np.int64)


def rules_of(book: Book) -> Rules:
    inverse, multiplier, settlement = zip(*book.contracts, strict=True)
    ones = np.ones(len(inverse), np.int64)
    return Rules(
        Contracts(np.array(inverse), ints(multiplier), ints(settlement), ones, ones),
        Tiers.of(book.tiers, book.scalars),
        Assets(ints(book.prices), ints(book.borrow_weights), StepTable.of(book.haircuts)),
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
    return Book(
        contracts=draw(exactly(instruments, contract)),
        marks=draw(exactly(instruments, st.integers(10**6, 10**12))),
        tiers=draw(exactly(instruments, tier_tables())),
        scalars=draw(exactly(instruments, st.integers(0, 3 * PPM) | st.just(PPM))),
        prices=draw(exactly(assets, price.filter(lambda value: value <= 10**10))),
        borrow_weights=draw(exactly(assets, st.integers(0, PPM))),
        haircuts=draw(exactly(assets, step_tables())),
        positions=draw(st.lists(position, max_size=8)),
        balances=draw(st.lists(st.tuples(bucket, asset, amount), max_size=8)),
        size=size,
    )
