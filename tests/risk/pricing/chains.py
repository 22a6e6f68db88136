"""Recorded option chains, read once for all tests; absent on machines without the recordings."""

from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from schemas.units import Floats, Int64s

OPTIONS = Path(__file__).parents[4] / "shared/data/options"

RECORDED = [
    pytest.mark.real_data,
    pytest.mark.skipif(not OPTIONS.is_dir(), reason="recorded market data is absent"),
]


@cache
def chain(stem: str) -> pl.DataFrame:
    return pl.read_parquet(OPTIONS / f"{stem}.parquet")


def floats(frame: pl.DataFrame, column: str) -> Floats:
    """A column in full precision, nan where it is null."""
    return frame[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def micros(frame: pl.DataFrame, column: str) -> Int64s:
    return np.asarray(frame[column].dt.epoch("us").to_numpy())
