"""Recorded bars and prices from parquet and csv files, as one table of rows."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

SUFFIXES = (".parquet", ".csv", ".csv.gz")
BAR = ("open", "high", "low", "close")
KEYS = ("symbol", "ts", "scale")
FOREIGN_TO_PRICES = frozenset({"side", "amount", "size", "strike", "update_id"})
"""A price-only file has none of these: it would be trades, depth or quotes."""
MICROSECONDS_FROM = 10**14


class NoRecordedPricesError(ValueError):
    """A path has no recorded prices, or none in the time asked for."""


def price_files(path: Path) -> list[Path]:
    """The file itself, or the files of a folder whose columns are bars or prices alone."""
    if not path.is_dir():
        if not path.exists():
            raise NoRecordedPricesError(f"{path} does not exist")
        if not _has_prices(path, strict=False):
            raise NoRecordedPricesError(
                f"{path} needs the columns symbol, ts, scale and open, high, low, close or price"
            )
        return [path]
    found = [each for each in sorted(path.iterdir()) if each.name.endswith(SUFFIXES)]
    files = [each for each in found if _has_prices(each, strict=True)]
    if not files:
        raise NoRecordedPricesError(f"{path} holds no parquet or csv file of bars or prices")
    return files


def read_rows(path: Path, start: datetime | None, end: datetime | None) -> pl.DataFrame:
    """The rows of one file with start <= ts < end, by symbol and time.

    Columns: symbol, ts_us, scale, open, high, low, close (int64, scaled), volume (float64, 0 where
    the file has none), resolution_us (smallest distance of a symbol's rows), bar (False: one
    price). Times without a zone are UTC.
    """
    columns = _columns(path)
    bar = set(BAR) <= set(columns)
    prices = [pl.col(name if bar else "price").cast(pl.Int64).alias(name) for name in BAR]
    volume = pl.col("volume").cast(pl.Float64) if "volume" in columns else pl.lit(0.0)
    rows = (
        _scan(path)
        .select(
            pl.col("symbol").cast(pl.String),
            _microseconds(columns["ts"]).alias("ts_us"),
            pl.col("scale").cast(pl.Int64),
            *prices,
            volume.fill_null(0.0).alias("volume"),
            pl.lit(bar).alias("bar"),
        )
        .drop_nulls(["symbol", "ts_us", "scale", *BAR])
        .collect()
    )
    gaps = rows.sort("symbol", "ts_us").select(pl.col("ts_us").diff().over("symbol"))["ts_us"]
    resolution = gaps.filter(gaps > 0).min()
    inside = pl.lit(True)
    if start is not None:
        inside &= pl.col("ts_us") >= to_us(start)
    if end is not None:
        inside &= pl.col("ts_us") < to_us(end)
    return rows.filter(inside).with_columns(
        pl.lit(resolution if resolution is not None else 1, dtype=pl.Int64).alias("resolution_us")
    )


def to_us(moment: datetime) -> int:
    """Microseconds since the epoch; a moment without a zone is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def _scan(path: Path) -> pl.LazyFrame:
    if path.name.endswith(".parquet"):
        return pl.scan_parquet(path)
    return pl.read_csv(path).lazy()


def _columns(path: Path) -> dict[str, pl.DataType]:
    return dict(_scan(path).collect_schema())


def _has_prices(path: Path, *, strict: bool) -> bool:
    """`strict`: a price column among those of trades, depth or quotes does not count."""
    names = set(_columns(path))
    if not set(KEYS) <= names:
        return False
    return set(BAR) <= names or ("price" in names and not (strict and names & FOREIGN_TO_PRICES))


def _microseconds(kind: pl.DataType) -> pl.Expr:
    ts = pl.col("ts")
    if isinstance(kind, pl.String):
        ts = ts.str.replace("Z$", "").str.replace(r"\+00:00$", "").str.to_datetime(time_unit="us")
        return ts.dt.epoch("us")
    if isinstance(kind, pl.Datetime):
        return ts.dt.epoch("us")
    number = ts.cast(pl.Int64)
    return pl.when(number < MICROSECONDS_FROM).then(number * 1_000).otherwise(number)
