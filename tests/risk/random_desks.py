"""A market with every kind of instrument, and random books on it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from risk.evaluation import Kind
from risk.profile import Profile
from schemas.units import E8
from streams.state.profiles import load_profile, scenario_sets
from tests.risk.desks import Asset, Desk, Listed

DEFAULT = load_profile("default")
BY_EXPIRY = replace(load_profile("derive-pmrm2"), options=DEFAULT.options)
WITH_COINS = Profile.of(
    {
        "options": {},
        "scenario_set": "span-16",
        "contingencies": {"spread": 0.01, "vega": 0.1, "naked_short": 0.01},
        "portfolio_options": {"collateral_moves": True, "short_option_minimum": 0.01},
        "orders": {"fee": 0.01},
        "positions": {"larger_leg": True},
    },
    scenario_sets(),
    "with coins",
)
PROFILES = [DEFAULT, BY_EXPIRY, WITH_COINS]
TIERS = ((0, 20_000, 10_000), (200_000 * E8, 50_000, 25_000))


def option(side: int, strike: float, days: float, volatility: float, **more: Any) -> Listed:
    mark = {"mark": more.pop("mark", 1.0), "underlying": more.pop("underlying", "BTC")}
    return Listed(side=side, strike=strike, days=days, volatility=volatility, **mark, **more)


LISTED = {
    "BTC": Listed(60_000, tiers=TIERS, index=60_010),
    "ETH": Listed(3_000, tiers=TIERS),
    "SOL": Listed(150, tiers=TIERS),
    "BTC-I": Listed(
        60_000, "BTC", inverse=True, multiplier=100, settlement="BTC", tiers=TIERS
    ),
    "BTC-F": Listed(60_500, "BTC", days=30, tiers=TIERS),
    "BTC-C": option(1, 65_000, 30, 0.6, mark=2_400.0),
    "BTC-P": option(-1, 55_000, 30, 0.65, mark=1_900.0),
    "BTC-L": option(1, 65_000, 180, 0.55, mark=7_500.0),
    "BTC-Q": option(1, 60_000, 7, 0.6, mark=0.03, settlement="BTC"),
    "ETH-C": option(1, 3_200, 30, 0.8, mark=200.0, underlying="ETH", multiplier=10),
}  # fmt: skip
ASSETS = {"USD": Asset(haircut=()), "BTC": Asset(60_000, "BTC", haircut=((0, 50_000),))}
KINDS = [Kind.CROSS, Kind.ISOLATED, Kind.PORTFOLIO, Kind.PORTFOLIO, Kind.CROSS]


def desk(**changes: Any) -> Desk:
    return Desk(DEFAULT, LISTED, assets=ASSETS, kinds=KINDS).with_(**changes)


@st.composite
def desks(draw: st.DrawFn, profiles: Sequence[Profile] = (DEFAULT,)) -> Desk:
    """Books of up to 12 positions in 5 buckets, one row for each bucket and instrument."""
    bucket, name = st.integers(0, len(KINDS) - 1), st.sampled_from(list(LISTED))
    pairs = st.tuples(bucket, name)
    quantity = st.floats(-20, 20).map(lambda x: round(x, 3)) | st.sampled_from([1e-8, -1e-8, 0.0])
    held = draw(st.dictionaries(pairs, quantity, max_size=12))
    sides = st.tuples(st.integers(0, 5), st.integers(0, 5))
    waiting = draw(st.none() | st.dictionaries(pairs, sides, max_size=4))
    owned = draw(
        st.dictionaries(st.tuples(bucket, st.sampled_from(list(ASSETS))), st.floats(-5, 50))
    )
    return desk(
        profile=draw(st.sampled_from(profiles)),
        positions=[(*pair, amount, None) for pair, amount in held.items()],
        balances=[(*pair, round(amount, 4)) for pair, amount in owned.items()],
        orders=None if waiting is None else [(*pair, *two, 1) for pair, two in waiting.items()],
    )
