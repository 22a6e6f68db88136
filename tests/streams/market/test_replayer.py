"""Recorded bars become steps that keep opens, lows, highs and closes exactly."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from schemas.units import E8
from streams.market.bars import NoRecordedPricesError, price_files
from streams.market.config import MarketConfig, build
from streams.market.replayer import ReplayPath
from streams.market.symbols import parse_symbol
from tests.streams.market.markets import digest

OCT10 = Path(__file__).parents[3] / "../shared/data/oct10"
NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)
NOON_US = 1_735_732_800_000_000
SECOND_US = 1_000_000


def write_bars(
    path: Path,
    bars: list[tuple[int, int, int, int, int]],
    *,
    symbol: str = "venue:ABC-USD",
    scale: int = 2,
) -> Path:
    """Bars as (second after noon, open, high, low, close)."""
    columns = {
        name: [bar[k] for bar in bars]
        for k, name in enumerate(("second", "open", "high", "low", "close"))
    }
    pl.DataFrame({"symbol": [symbol] * len(bars), **columns}).select(
        "symbol",
        (pl.lit(NOON_US // 1_000) + pl.col("second") * 1_000)
        .cast(pl.Datetime("ms", "UTC"))
        .alias("ts"),
        pl.lit(scale, pl.Int8).alias("scale"),
        "open",
        "high",
        "low",
        "close",
        pl.lit(5.0, pl.Float32).alias("volume"),
    ).write_parquet(path)
    return path


def ticks(path: ReplayPath, instrument_id: str) -> list[tuple[float, int]]:
    """(seconds after noon, price in e8) of every step that has the instrument."""
    return [
        ((step.event_time_us - NOON_US) / SECOND_US, step.prices_e8[instrument_id])
        for step in path
        if instrument_id in step.prices_e8
    ]


def test_a_bar_gives_four_ticks_in_the_order_of_its_direction(tmp_path: Path) -> None:
    rising, falling = (0, 1000, 1100, 900, 1050), (1, 1050, 1200, 800, 850)
    path = ReplayPath(write_bars(tmp_path / "a.parquet", [rising, falling]))
    assert ticks(path, "ABC-USD.venue") == [
        (second / 4, price * E8 // 100)
        for second, price in enumerate((1000, 900, 1100, 1050, 1050, 1200, 800, 850))
    ]
    (listing,) = path.listings
    assert (listing.kind, listing.settlement_asset) == ("LINEAR_PERP", "USDT")
    assert listing.tick_e8 == E8 // 100
    assert listing.lot_e8 == E8 // 10  # 10 USD a coin: a tenth is worth one


def test_a_step_wider_than_a_bar_keeps_first_lowest_highest_and_last(tmp_path: Path) -> None:
    bars = [(s, 100 + s, 110 + s, 90 + s, 105 + s) for s in range(10)]
    bars[4] = (4, 104, 300, 5, 109)
    path = ReplayPath(write_bars(tmp_path / "a.parquet", bars), step_ms=10_000)
    assert [price * 100 // E8 for _, price in ticks(path, "ABC-USD.venue")] == [100, 5, 300, 114]


def test_the_finest_recording_wins_where_it_exists(tmp_path: Path) -> None:
    minutes = [(60 * m, 1000 + m, 1001 + m, 999 + m, 1000 + m) for m in range(3)]
    seconds = [(60 + s, 2000, 2000, 2000, 2000) for s in range(5)]
    write_bars(tmp_path / "minutes.parquet", minutes)
    write_bars(tmp_path / "seconds.parquet", seconds)
    found = ticks(ReplayPath(tmp_path), "ABC-USD.venue")
    inside = {price for second, price in found if 60 <= second < 120}
    assert inside == {2000 * E8 // 100}
    assert len([second for second, _ in found if second < 60]) == 4
    assert len([second for second, _ in found if second >= 120]) == 4


def test_start_and_end_bound_the_replay(tmp_path: Path) -> None:
    file = write_bars(tmp_path / "a.parquet", [(s, 100, 100, 100, 100) for s in range(60)])
    path = ReplayPath(file, NOON.replace(second=10), NOON.replace(second=20, tzinfo=None))
    seconds = [second for second, _ in ticks(path, "ABC-USD.venue")]
    assert (seconds[0], seconds[-1]) == (10.0, 19.75)
    with pytest.raises(NoRecordedPricesError):
        ReplayPath(file, NOON.replace(hour=13))


def test_csv_files_and_price_only_rows(tmp_path: Path) -> None:
    text = "symbol,ts,scale,price\nfeed:XYZ-USD,2025-01-01T12:00:00Z,4,12345\n"
    text += "feed:XYZ-USD,2025-01-01T12:00:01Z,4,12346\n"
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    found = ticks(ReplayPath(tmp_path / "a.csv.gz"), "XYZ-USD.feed")
    assert found == [(0.0, 12345 * 10**4), (1.0, 12346 * 10**4)]
    bars = f"symbol,ts,scale,open,high,low,close\nXYZUSDT,{NOON_US},0,5,9,1,7\n"
    (tmp_path / "b.csv").write_text(bars)
    prices = [price for _, price in ticks(ReplayPath(tmp_path / "b.csv"), "XYZ-USDT")]
    assert prices == [5 * E8, 1 * E8, 9 * E8, 7 * E8]


def test_a_folder_gives_its_bars_and_prices_not_its_trades(tmp_path: Path) -> None:
    bars = write_bars(tmp_path / "bars.parquet", [(0, 1, 1, 1, 1)])
    pl.DataFrame(
        {
            "symbol": ["a"],
            "ts": [NOON],
            "scale": [2],
            "price": [1],
            "amount": [1.0],
            "side": ["buy"],
        }
    ).write_parquet(tmp_path / "trades.parquet")
    pl.DataFrame({"symbol": ["a"], "ts": [NOON], "rate": [0.1]}).write_parquet(
        tmp_path / "other.parquet"
    )
    assert price_files(tmp_path) == [bars]
    with pytest.raises(NoRecordedPricesError):
        price_files(tmp_path / "other.parquet")
    with pytest.raises(NoRecordedPricesError):
        price_files(tmp_path / "absent")


def test_a_very_cheap_coin_is_listed_by_the_million(tmp_path: Path) -> None:
    file = write_bars(
        tmp_path / "a.parquet", [(0, 927, 930, 900, 928)], symbol="x:PEPE-USD", scale=8
    )
    path = ReplayPath(file)
    (listing,) = path.listings
    assert listing.instrument_id == "1000000PEPE-USD.x"
    assert listing.first_price_e8 == 927_000_000
    assert listing.tick_e8 == 1_000_000


def test_prices_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    for number, (price, scale) in enumerate(((10**11, 0), (0, 2), (-1, 2))):
        file = write_bars(
            tmp_path / f"{number}.parquet", [(0, price, price, price, price)], scale=scale
        )
        with pytest.raises(ValueError, match="not positive or beyond"):
            ReplayPath(file)


@pytest.mark.parametrize(
    ("symbol", "instrument_id"),
    [
        ("binance-delivery:AVAXUSD_PERP", "AVAX-USD-INV.binance-delivery"),
        ("binance-delivery:DOTUSD_PERP", "DOT-USD-INV.binance-delivery"),
        ("BTCUSD_PERP", "BTC-USD-INV"),
        ("coinbase:BTC-USD", "BTC-USD.coinbase"),
        ("gemini:BTCUSD", "BTC-USD.gemini"),
        ("BTCUSDT", "BTC-USDT"),
        ("1000BONKUSDT", "1000BONK-USDT"),
        ("BTC-PERP", "BTC-USDT"),
    ],
)
def test_symbols_become_instruments(symbol: str, instrument_id: str) -> None:
    assert parse_symbol(symbol).instrument_id(by_million=False) == instrument_id


def test_inverse_contracts_are_worth_their_dollars() -> None:
    assert parse_symbol("BTCUSD_PERP").multiplier_e8 == 100 * E8
    assert parse_symbol("binance-delivery:AVAXUSD_PERP").multiplier_e8 == 10 * E8


def test_a_replayed_market_trades_ends_and_repeats_itself(tmp_path: Path) -> None:
    bars = [(s, 1000 - 5 * s, 1003 - 5 * s, 990 - 5 * s, 995 - 5 * s) for s in range(90)]
    write_bars(tmp_path / "a.parquet", bars)
    write_bars(tmp_path / "b.parquet", bars, symbol="binance-delivery:ABCUSD_PERP")
    config = MarketConfig(seed=5, accounts=30, replay=tmp_path, fills_per_s=40.0)
    first = digest(build(config), engine=True)
    assert first == digest(build(config), engine=True)
    assets = build(config).catalogue.assets
    assert assets.keys() == {"USDT", "ABC"}
    assert assets["ABC"].price_instrument_id == "ABC-USD.venue"


@pytest.mark.real_data
@pytest.mark.skipif(not OCT10.is_dir(), reason="recorded market data is absent")
def test_the_tenth_of_october_is_replayed_to_its_lows() -> None:
    path = ReplayPath(
        OCT10, datetime(2025, 10, 10, 21, 15, tzinfo=UTC), datetime(2025, 10, 10, 21, 30)
    )
    lows: dict[str, tuple[int, int]] = {}
    for step in path:
        for instrument_id, price_e8 in step.prices_e8.items():
            lows[instrument_id] = min(
                lows.get(instrument_id, (price_e8, step.event_time_us)),
                (price_e8, step.event_time_us),
            )
    assert _low(lows["AVAX-USD-INV.binance-delivery"]) == (602 * E8 // 100, "21:21:29")
    assert _low(lows["AVAX-USD.coinbase"]) == (17 * E8, "21:21:03")
    assert lows["BTC-USD-INV"][0] == 10_249_749 * E8 // 100
    assert len(path.listings) >= 30


def _low(found: tuple[int, int]) -> tuple[int, str]:
    return found[0], datetime.fromtimestamp(found[1] // SECOND_US, UTC).strftime("%H:%M:%S")
