"""Health of cross accounts agrees with the clerk; worse prices and more orders never raise it."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.margin.health import (
    Crowding,
    Kind,
    Perpetuals,
    ReservedFunds,
    TokenBalances,
    Weights,
    health,
    weighing,
)
from risk.margin.weights import Weighing
from tests.reference import health as slow
from tests.risk.books import ints

TOKENS = 3
amounts = st.integers(-1_000, 1_000)
sizes = st.integers(0, 1_000)
rows = st.integers(0, TOKENS - 1)
weighed = st.tuples(st.integers(1, 50), st.integers(0, 20), st.integers(0, 16), st.integers(16, 32))


@st.composite
def accounts(draw):
    """Balances, perpetuals with (low, extra, asset, liability) of their base, spot markets."""
    balances = draw(st.lists(st.tuples(rows, amounts), max_size=4))
    perpetuals = draw(
        st.lists(
            st.tuples(rows, amounts, amounts, sizes, sizes, weighed, st.integers(0, 16)), max_size=2
        )
    )
    markets = st.tuples(rows, rows, sizes, sizes).filter(lambda market: market[0] != market[1])
    return balances, perpetuals, draw(st.lists(markets, max_size=3))


def token(of):
    """Weights in sixteenths, so that float64 is exact but for divisions."""
    low, extra, asset, liability = of
    return slow.Token(
        Fraction(low), Fraction(low + extra), Fraction(asset, 16), Fraction(liability, 16)
    )


def table(tokens):
    columns = zip(*tokens, strict=True) if tokens else [()] * 4
    return Weighing(*(floats(*column) for column in columns))


def floats(*values):
    return np.array(values, np.float64)


def run(tokens, found):
    """Health of every account by the product, all in one call."""
    balances = [(at, *row) for at, (rows, _, _) in enumerate(found) for row in rows]
    perpetuals = [(at, *row) for at, (_, rows, _) in enumerate(found) for row in rows]
    markets = [(at, *row) for at, (_, _, rows) in enumerate(found) for row in rows]

    def columns(held, width):
        return list(zip(*held, strict=True)) if held else [()] * width

    bucket, row, amount = columns(balances, 3)
    owner, settlement, quantity, quote, bids, asks, base, share = columns(perpetuals, 8)
    holder, left, right, reserved_base, reserved_quote = columns(markets, 5)
    return health(
        TokenBalances(ints(bucket), ints(row), floats(*amount)),
        Perpetuals(
            ints(owner),
            ints(settlement),
            floats(*quantity),
            floats(*quote),
            floats(*bids),
            floats(*asks),
            table([token(of) for of in base]),
            floats(*share) / 16,
        ),
        ReservedFunds(
            ints(holder), ints(left), ints(right), floats(*reserved_base), floats(*reserved_quote)
        ),
        table(tokens),
        len(found),
    )


@given(st.lists(weighed, min_size=TOKENS, max_size=TOKENS), st.lists(accounts(), max_size=4))
def test_health_agrees_with_the_clerk(of_tokens, found):
    tokens = [token(of) for of in of_tokens]
    expected = [
        slow.health(
            tokens,
            [(row, Fraction(amount)) for row, amount in balances],
            [
                slow.Perpetual(s, *map(Fraction, (q, c, b, a)), token(of), Fraction(share, 16))
                for s, q, c, b, a, of, share in perpetuals
            ],
            [slow.Market(b, q, Fraction(rb), Fraction(rq)) for b, q, rb, rq in markets],
        )
        for balances, perpetuals, markets in found
    ]
    assert run(tokens, found) == pytest.approx([float(one) for one in expected], rel=1e-9, abs=1e-6)


@given(st.lists(weighed, min_size=TOKENS, max_size=TOKENS), accounts(), rows, st.integers(1, 1_000))
def test_money_never_lowers_health_and_orders_never_raise_it(of_tokens, account, row, more):
    tokens = [token(of) for of in of_tokens]
    balances, perpetuals, markets = account
    richer = ([*balances, (row, more)], perpetuals, markets)
    busier = (
        balances,
        [(s, q, c, b + more, a + more, of, share) for s, q, c, b, a, of, share in perpetuals],
        markets,
    )
    plain, rich, busy = run(tokens, [account, richer, busier])
    slack = 1e-9 * (1 + abs(plain))
    assert rich >= plain - slack
    assert busy <= plain + slack


@given(
    st.lists(weighed, min_size=TOKENS, max_size=TOKENS),
    st.lists(amounts, min_size=TOKENS, max_size=TOKENS),
    rows,
    st.integers(1, 100),
)
def test_a_worse_price_never_raises_health(of_tokens, held, row, move):
    """Worse is lower for what is owned and higher for what is owed."""
    account = (list(enumerate(held)), [], [])
    low, *rest = of_tokens[row]
    dearer = [token(of) for of in of_tokens]
    dearer[row] = token((low + move, *rest))
    plain, changed = (run(of, [account])[0] for of in ([token(of) for of in of_tokens], dearer))
    assert (changed - plain) * np.sign(held[row]) >= -1e-9 * (1 + abs(plain))


def test_initial_is_at_most_liquidation_end_is_at_most_maintenance():
    weights = Weights(
        price=floats(10, 10),
        slow_price=floats(9, 12),
        initial_asset=floats(0.5, 0.5),
        initial_liability=floats(1.5, 1.5),
        maintenance_asset=floats(0.75, 0.75),
        maintenance_liability=floats(1.25, 1.25),
    )
    crowding = Crowding(floats(200, 0), floats(900, np.inf), floats(0, 100), floats(np.inf, 600))
    balances = TokenBalances(ints([0, 0]), ints([0, 1]), floats(100, -10))
    none = ints([]), ints([])
    empty = floats()
    perpetuals = Perpetuals(*none, empty, empty, empty, empty, table([]), empty)
    reserved = ReservedFunds(ints([]), *none, empty, empty)
    found = [
        float(health(balances, perpetuals, reserved, weighing(weights, kind, crowding), 1)[0])
        for kind in (Kind.INITIAL, Kind.LIQUIDATION_END, Kind.MAINTENANCE)
    ]
    # 100 x 9 x 0.5 / 2 - 10 x 12 x 1.5 x 2; 100 x 10 x 0.5 - 10 x 10 x 1.5; the same at 0.75, 1.25
    assert found == pytest.approx([225 - 360, 500 - 150, 750 - 125])
