"""Replays recorded bars as time steps that keep every low and high.

A bar of length R gives ticks at its open, R/4, R/2 and 3R/4: open, then low and high (low first
where the bar closed at or above its open), then close. A step that holds more than four ticks of
an instrument keeps the first, the lowest, the highest and the last. Where several recordings of an
instrument overlap the finest one wins: a coarse bar in which a finer row begins is left out.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import polars as pl

from schemas.units import LIMIT_E8
from streams.market.bars import NoRecordedPricesError, price_files, read_rows
from streams.market.listings import Listing
from streams.market.paths import Step
from streams.market.symbols import MILLION_DIGITS, list_symbol, listed_by_million, parse_symbol

SUB_STEPS = 4
DAY_US = 86_400_000_000
FEWEST_DAYS = 1 / 24
CHUNK_ROWS = 100_000
PRICES = ("open", "high", "low", "close")


class ReplayPath:
    """The recorded prices of a file or folder with start <= time < end.

    `listings` are the contracts made of its symbols; iterating yields up to four steps for every
    `step_ms` in which anything was recorded. NoRecordedPricesError where nothing was.
    """

    def __init__(
        self,
        path: Path | str,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        step_ms: int = 1_000,
    ) -> None:
        frames = [read_rows(file, start, end) for file in price_files(Path(path))]
        rows = pl.concat(frames)
        if rows.is_empty():
            raise NoRecordedPricesError(f"{path} has no recorded price between {start} and {end}")
        rows, names = _to_instruments(rows)
        rows = _finest(rows)
        self.listings: tuple[Listing, ...] = _listings(rows, names)
        self._ticks = _thin_out(_ticks(rows), max(step_ms * 1_000, SUB_STEPS))

    def __iter__(self) -> Iterator[Step]:
        now_us, prices = -1, dict[str, int]()
        for chunk in self._ticks.iter_slices(CHUNK_ROWS):
            columns = (chunk[name].to_list() for name in ("time_us", "instrument_id", "price_e8"))
            for time_us, instrument_id, price_e8 in zip(*columns, strict=True):
                if time_us != now_us:
                    if prices:
                        yield Step(now_us, prices)
                    now_us, prices = time_us, {}
                prices[instrument_id] = price_e8
        yield Step(now_us, prices)


def _to_instruments(rows: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
    """Rows by instrument id with prices in e8, and the symbol that each id came from."""
    firsts = (
        rows.sort("ts_us")
        .group_by("symbol", maintain_order=True)
        .agg(pl.first("open"), pl.first("scale"))
    )
    million: dict[str, bool] = {}
    for symbol, value, scale in firsts.iter_rows():
        million[symbol] = listed_by_million(parse_symbol(symbol), value / 10.0**scale)
    ids = {
        symbol: parse_symbol(symbol).instrument_id(by_million=by_million)
        for symbol, by_million in million.items()
    }
    digits = {symbol: MILLION_DIGITS * by_million for symbol, by_million in million.items()}
    keys = (
        rows.select("symbol", "scale")
        .unique()
        .with_columns(
            pl.col("symbol").replace_strict(ids, return_dtype=pl.String).alias("instrument_id"),
            (
                8 + pl.col("symbol").replace_strict(digits, return_dtype=pl.Int64) - pl.col("scale")
            ).alias("shift"),
        )
        .with_columns(
            pl.lit(10, pl.Int64).pow(pl.col("shift").clip(0)).cast(pl.Int64).alias("up"),
            pl.lit(10, pl.Int64).pow((-pl.col("shift")).clip(0)).cast(pl.Int64).alias("down"),
        )
    )
    joined = rows.join(keys, on=["symbol", "scale"])
    too_large = joined.filter(
        (pl.col("high").cast(pl.Float64) * pl.col("up") > LIMIT_E8) | (pl.col("low") <= 0)
    )
    if not too_large.is_empty():
        symbol = too_large["symbol"][0]
        raise ValueError(f"a price of {symbol} is not positive or beyond 9,999,999,999.99999999")
    exact = [
        ((pl.col(name) * pl.col("up") + pl.col("down") // 2) // pl.col("down")).alias(name)
        for name in PRICES
    ]
    tick = pl.max_horizontal(pl.col("up"), 1).alias("tick_e8")
    return joined.with_columns(*exact, tick), {ids[symbol]: symbol for symbol in ids}


def _finest(rows: pl.DataFrame) -> pl.DataFrame:
    """One row an instrument and time, without the coarse bars that finer rows cover."""
    rows = rows.sort("instrument_id", "ts_us", "resolution_us").unique(
        ["instrument_id", "ts_us"], keep="first", maintain_order=True
    )
    kept = []
    for _, group in rows.group_by("instrument_id", maintain_order=True):
        resolutions = group["resolution_us"].unique().sort().to_list()
        finest = group.filter(pl.col("resolution_us") == resolutions[0])
        for coarse_us in resolutions[1:]:
            coarse = group.filter(pl.col("resolution_us") == coarse_us)
            covered = (
                finest.select("ts_us")
                .join_asof(
                    coarse.select("ts_us", pl.col("ts_us").alias("covered")),
                    on="ts_us",
                    tolerance=coarse_us - 1,
                )["covered"]
                .drop_nulls()
            )
            left = coarse.filter(~pl.col("ts_us").is_in(covered.implode()))
            finest = pl.concat([finest, left]).sort("ts_us")
        kept.append(finest)
    return pl.concat(kept)


def _listings(rows: pl.DataFrame, names: dict[str, str]) -> tuple[Listing, ...]:
    """The contracts; where a recording has no volume, the median of those that have."""
    table = (
        rows.sort("ts_us")
        .group_by("instrument_id", maintain_order=True)
        .agg(
            pl.first("open"),
            pl.min("tick_e8"),
            pl.sum("volume"),
            pl.min("ts_us").alias("from_us"),
            (pl.col("ts_us") + pl.col("resolution_us")).max().alias("to_us"),
            pl.first("shift"),
        )
        .sort("instrument_id")
    )
    listings: list[Listing] = []
    silent: list[Listing] = []
    for row in table.iter_rows(named=True):
        symbol = parse_symbol(names[row["instrument_id"]])
        by_million = row["instrument_id"] != symbol.instrument_id(by_million=False)
        days = max((row["to_us"] - row["from_us"]) / DAY_US, FEWEST_DAYS)
        listing = list_symbol(
            symbol,
            by_million=by_million,
            tick_e8=row["tick_e8"],
            first_price_e8=row["open"],
            daily_volume=row["volume"] / days / (10**MILLION_DIGITS if by_million else 1),
        )
        (listings if listing.daily_volume_usd > 0 else silent).append(listing)
    return (*listings, *_with_median_volume(silent, listings))


def _with_median_volume(silent: list[Listing], others: list[Listing]) -> list[Listing]:
    volumes = sorted(each.daily_volume_usd for each in others)
    median = volumes[len(volumes) // 2] if volumes else 1e9
    return [each.with_volume(median) for each in silent]


def _ticks(rows: pl.DataFrame) -> pl.DataFrame:
    """instrument_id, time_us, price_e8 of every tick, by instrument and time."""
    rising = pl.col("close") >= pl.col("open")
    second = pl.when(rising).then("low").otherwise("high")
    third = pl.when(rising).then("high").otherwise("low")
    quarter = pl.col("resolution_us") // SUB_STEPS
    inside = [
        rows.filter("bar").select(
            "instrument_id",
            (pl.col("ts_us") + quarter * place).alias("time_us"),
            price.alias("price_e8"),
            pl.lit(place).alias("place"),
        )
        for place, price in ((1, second), (2, third), (3, pl.col("close")))
    ]
    opens = rows.select(
        "instrument_id",
        pl.col("ts_us").alias("time_us"),
        pl.col("open").alias("price_e8"),
        pl.lit(0).alias("place"),
    )
    return pl.concat([opens, *inside]).sort("instrument_id", "time_us", "place")


def _thin_out(ticks: pl.DataFrame, step_us: int) -> pl.DataFrame:
    """At most four ticks an instrument and step, spread over the step in their order."""
    group = ["instrument_id", "step"]
    price, place = pl.col("price_e8"), pl.int_range(pl.len())
    ranked = ticks.with_columns((pl.col("time_us") // step_us).alias("step")).with_columns(
        place.over(group).alias("place"),
        pl.len().over(group).alias("count"),
        price.arg_min().over(group).alias("lowest"),
        price.arg_max().over(group).alias("highest"),
    )
    kept = ranked.filter(
        (pl.col("count") <= SUB_STEPS)
        | (pl.col("place") == 0)
        | (pl.col("place") == pl.col("count") - 1)
        | (pl.col("place") == pl.col("lowest"))
        | (pl.col("place") == pl.col("highest"))
    ).with_columns(place.over(group).alias("slot"))
    return kept.select(
        "instrument_id",
        "price_e8",
        (pl.col("step") * step_us + pl.col("slot") * step_us // SUB_STEPS).alias("time_us"),
    ).sort("time_us", "instrument_id")
