"""AVAX on 2025-10-10: 6.02 on one venue while 17.00 on another liquidates nobody who is solvent.

Both venues fell together, from 25 to 18 in six minutes; then the inverse perpetual went on alone.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl
import pytest

from risk.liquidation.stages import Ladder
from schemas.units import E8
from streams.state.guards import Limits
from tests.streams.state.exchange import (
    Bench,
    Record,
    asset,
    deposit,
    fill,
    instrument,
    mark,
    risk_params,
)

OCT10 = Path(__file__).parents[4] / "shared/data/oct10"
BARS = OCT10 / "trade_bars_1s_2025-10-10_2045-2200.parquet"
PERPETUAL, SPOT = "binance-delivery:AVAXUSD_PERP", "coinbase:AVAX-USD"
BEGIN = datetime(2025, 10, 10, 21, 15, tzinfo=UTC)
PARTED = datetime(2025, 10, 10, 21, 18, 50, tzinfo=UTC)
"""From here on the venues are more than a tenth apart."""
END = datetime(2025, 10, 10, 21, 22, tzinfo=UTC)
HALF_A_SECOND = timedelta(milliseconds=500)
UNGUARDED = Limits(deviation_ppm=10**9, slow_deviation_ppm=0, jump_sigma=0, wide_ppm=0)

pytestmark = pytest.mark.skipif(not BARS.exists(), reason="recorded prices are not here")


class Second(NamedTuple):
    """The lowest price of a second on the perpetual, the last one on the spot venue, e8."""

    at: datetime
    perpetual: int
    spot: int


@cache
def recorded() -> list[Second]:
    bars = pl.read_parquet(BARS).with_columns(pl.col("scale").cast(pl.Int64))

    def prices(symbol: str, column: str, name: str) -> pl.DataFrame:
        price = (pl.col(column) * E8 // pl.lit(10).pow(pl.col("scale"))).cast(pl.Int64)
        return bars.filter(pl.col("symbol") == symbol).select("ts", price.alias(name))

    both = prices(PERPETUAL, "low", "perpetual").join(
        prices(SPOT, "close", "spot"), on="ts", how="full", coalesce=True
    )
    both = both.sort("ts").with_columns(pl.all().forward_fill())
    return [Second(*row) for row in both.filter(pl.col("ts").is_between(BEGIN, END)).iter_rows()]


class Crash(Bench):
    """Two longs at 25: `steady` is liquidatable below 10, `brave` below 21.5."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        terms = {"multiplier_e8": 10 * E8, "lot_e8": E8, "tick_e8": E8 // 100}
        self.send("instruments", instrument("AVAX-INV", "INVERSE_PERP", "AVAX", "USD", **terms))
        self.send("instruments", instrument("AVAX-USD", "SPOT", "AVAX", "USDT"))
        self.send("assets", asset("AVAX", "AVAX-USD", []))
        tiers = [{"floor_e8": 0, "initial_ppm": 100_000, "maintenance_ppm": 50_000}]
        self.send("risk-params", *(risk_params(f"AVAX-{n}", tiers=tiers) for n in ("INV", "USD")))
        for number, (name, contracts) in enumerate({"steady": 153, "brave": 1_131}.items()):
            coins = {"asset": "AVAX", "amount_e8": 100 * E8}
            self.send("collateral", deposit(number, name, **coins))
            position = {"price_e8": 25 * E8, "quantity_e8": contracts * E8, "fee_asset": "AVAX"}
            self.send("fills", fill(number, name, instrument_id="AVAX-INV", **position))
        self.number = 0
        self.orders: list[Record] = []
        """Every record of `liquidations`."""

    def tick(self, at: datetime, name: str, source: str, mark_e8: int, index_e8: int) -> None:
        self.number += 1
        told = {"source": source, "event_time": round(at.timestamp() * 1e6)}
        told |= {"mark_e8": mark_e8, "index_e8": index_e8}
        self.send("prices", mark(self.number, name, **told))
        self.cycle.decide()
        outputs = self.cycle.take_outputs()
        self.send("transfers", *(dict(o.values) for o in outputs if o.topic == "transfers"))
        self.orders += [dict(o.values) for o in outputs if o.topic == "liquidations"]

    def liquidated(self, name: str) -> list[Record]:
        return [one for one in self.orders if one["account_id"] == name]


@cache
def replayed(sources: int, limits: Limits = Limits()) -> Crash:  # noqa: B008
    """Marks are the perpetual's own prices: with one source beside the spot price as their index,
    with two each venue takes its own price for both."""
    crash = Crash(limits=limits)
    for at, perpetual, spot in recorded():
        crash.tick(at, "AVAX-USD", "coinbase", spot, spot)
        if sources == 1:
            crash.tick(at, "AVAX-INV", "binance", perpetual, spot)
        else:
            crash.tick(at, "AVAX-INV", "coinbase", spot, spot)
            crash.tick(at + HALF_A_SECOND, "AVAX-INV", "binance", perpetual, perpetual)
    return crash


def test_the_venues_were_as_far_apart_as_is_told() -> None:
    lowest = min(recorded(), key=lambda second: second.perpetual)
    assert lowest.perpetual == 6_02 * E8 // 100
    assert lowest.at.time().isoformat() == "21:21:29"
    assert min(second.spot for second in recorded() if second.at > PARTED) == 17 * E8


@pytest.mark.parametrize("sources", [1, 2])
def test_a_price_of_one_venue_alone_liquidates_nobody(sources: int) -> None:
    crash = replayed(sources)
    assert crash.liquidated("steady") == []
    assert crash.positions()["steady", "cross", "AVAX-INV"][0] == 153 * E8
    assert replayed(1, UNGUARDED).liquidated("steady"), "without the guards it would be gone"


@pytest.mark.parametrize("sources", [1, 2])
def test_a_fall_of_both_venues_liquidates(sources: int) -> None:
    orders = replayed(sources).liquidated("brave")
    assert [one["action"] for one in orders[:2]] == ["CANCEL_ORDERS", "REDUCE"]
    first = orders[1]
    assert first["equity_e8"] < first["maintenance_margin_e8"]
    assert {one["guard"] for one in first["marks"]} == {"LIVE"}
    at = datetime.fromtimestamp(first["event_time"] / 1e6, UTC)
    before = [second for second in recorded() if second.at <= at]
    assert max(before[-1].perpetual, before[-1].spot) < 21.6 * E8, "on both"
    assert at < PARTED


def spiked(print_e8: int) -> Iterator[Second]:
    """A minute in which both agree, and in its midst one print of one venue."""
    calm = recorded()[:60]
    for number, second in enumerate(calm):
        yield second._replace(perpetual=print_e8) if number == 45 else second


def test_one_print_that_nothing_confirms_liquidates_nobody() -> None:
    lowest = min(second.perpetual for second in recorded())

    def hit(limits: Limits, ladder: Ladder) -> bool:
        """Whether anybody is liquidated where no index tells that the print is wrong."""
        crash = Crash(limits=limits, ladder=ladder)
        for at, perpetual, spot in spiked(lowest):
            crash.tick(at, "AVAX-USD", "coinbase", spot, spot)
            crash.tick(at + HALF_A_SECOND, "AVAX-INV", "binance", perpetual, 0)
        return bool(crash.orders)

    assert not hit(Limits(), Ladder()), "as it is set"
    assert not hit(Limits(), Ladder(confirm_ticks=1)), "the jump waits for a second tick"
    assert not hit(UNGUARDED, Ladder(confirm_ticks=3)), "the breach waits for another decision"
    assert hit(UNGUARDED, Ladder(confirm_ticks=1)), "one of them is needed"
