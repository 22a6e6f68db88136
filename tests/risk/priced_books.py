"""Random books whose assets are priced by marks, evaluated and as the slow twin takes them."""

from collections.abc import Callable
from typing import NamedTuple

from hypothesis import strategies as st

from risk.margin.exposures import Book as Evaluated
from schemas.units import E8, PPM
from tests.reference import liquidation_price as slow
from tests.reference.margin import Book, Reading, contract_value
from tests.risk.books import book, holdings_of, ints, rules_of, run


class Sample(NamedTuple):
    """A book with one bucket, what prices its assets (instrument, -1: nothing), an instrument."""

    book: Book
    pricer: list[int]
    instrument: int = 0

    def evaluated(self) -> Evaluated:
        margin, state = run(self.book)
        positions, balances = holdings_of(self.book)
        marks, rules = ints(self.book.marks), rules_of(self.book)
        return Evaluated(positions, balances, marks, rules, margin, state, ints(self.pricer))

    def surplus(self, mark: int) -> int:
        """Equity less maintenance margin at another mark of the instrument, e8, evaluated again."""
        moved = slow.at_mark(self.book, self.pricer, self.instrument, mark)
        return slow.surplus(moved, 0)

    def tolerance_e8(self, surplus: Callable[[int], int], at: int, start: int) -> float:
        """What rounding may make of a surplus: units of rows and assets, of `at`, of floats.

        The book holds about 1e13 units, which a far mark multiplies.
        """
        here = surplus(at)
        grid = max(abs(surplus(at + 1) - here), abs(surplus(max(1, at - 1)) - here))
        away = max(at / start, start / at)
        return 40 + 20 * max(self.book.prices) * max(1, away) / E8 + 2 * grid + 100 * away

    def is_scanned(self) -> bool:
        """No closed form: linear in an asset of its own price, or inverse with a rate by size."""
        inverse, _, asset = self.book.contracts[self.instrument]
        sized = self.book.readings[self.instrument].method == "sqrt"
        return (inverse and sized) or (not inverse and self.pricer[asset] == self.instrument)


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Books of three instruments and three assets, some of them priced by marks; an instrument."""
    count = 3
    marks = [draw(st.integers(10**8, 10**13)) for _ in range(count)]
    pricer = [-1, draw(st.integers(-1, 2)), draw(st.integers(-1, 2))]
    prices_e8 = [E8] + [E8 if p < 0 else marks[p] for p in pricer[1:]]
    contracts = [
        (draw(st.booleans()), draw(st.sampled_from([10**5, E8, 10 * E8])), draw(st.integers(0, 2)))
        for _ in range(count)
    ]
    weights = [0] + [draw(st.integers(0, PPM // 2)) for _ in range(2)]
    positions, balances = [], []
    for _ in range(draw(st.integers(1, 4))):
        i = draw(st.integers(0, count - 1))
        inverse, multiplier, asset = contracts[i]
        # About the same value each, so that no part drowns the others.
        value = draw(st.integers(10**9, 10**12)) * E8 // prices_e8[asset]
        units = value * marks[i] // E8 if inverse else value * E8 // marks[i]
        quantity = draw(st.sampled_from([-1, 1])) * min(units * E8 // multiplier, 10**16)
        cost = contract_value(inverse, multiplier, quantity, marks[i])
        moved = draw(st.integers(-200, 200))
        positions.append((0, i, quantity, cost + abs(cost) * moved // 1_000))
    for asset in range(3):
        value = draw(st.integers(-(10**11), 10**12))
        balances.append((0, asset, value * E8 // prices_e8[asset]))
    sample = book(
        contracts=contracts,
        marks=marks,
        tiers=[draw(tier_tables()) for _ in range(count)],
        scalars=[PPM] * count,
        readings=[draw(readings()) for _ in range(count)],
        prices=prices_e8,
        borrow_weights=weights,
        haircuts=[[], *(draw(haircuts()) for _ in range(2))],
        positions=positions,
        balances=balances,
        larger_leg=draw(st.booleans()),
    )
    return Sample(sample, pricer, draw(st.integers(0, count - 1)))


def tier_tables() -> st.SearchStrategy[list[tuple[int, int, int]]]:
    floors = st.lists(st.integers(10**8, 10**13), max_size=3, unique=True).map(sorted)
    rates = st.lists(st.integers(1_000, 200_000), min_size=4, max_size=4).map(sorted)
    return st.builds(
        lambda starts, levels: [
            (start, 2 * rate, rate) for start, rate in zip([0, *starts], levels, strict=False)
        ],
        floors,
        rates,
    )


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    method = draw(st.sampled_from(["marginal", "whole", "sqrt"]))
    factor = draw(st.integers(0, 10**7)) if method == "sqrt" else 0
    return Reading(
        scalar=draw(st.integers(PPM // 2, 2 * PPM)),
        method=method,
        factors=(2 * factor, factor),
        fee=draw(st.sampled_from([0, 600])),
    )


def haircuts() -> st.SearchStrategy[list[tuple[int, int]]]:
    return st.one_of(
        st.just([]),
        st.builds(
            lambda floor, low, more: [(0, low), (floor, low + more)],
            st.integers(10**8, 10**12),
            st.integers(0, 300_000),
            st.integers(0, 300_000),
        ),
    )
