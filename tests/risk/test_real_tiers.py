"""Published tier tables of a venue, read whole and held to its own deductions."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from risk.margin.tiers import requirement
from risk.tables import PPB
from schemas.units import E8, PPM, e8
from streams.state.profiles import load_profile
from tests.risk.books import ints

FOLDER = Path(__file__).parents[3] / "shared/data/exchange"
TABLES = sorted(FOLDER.glob("binance_usdm_leverage_tiers_*.parquet"))


def ppm(rate: float) -> int:
    """A published rate, rounded up to a millionth where it has more decimals."""
    exact = Decimal(str(rate)) * PPM
    return int(exact.to_integral_value(rounding="ROUND_CEILING"))


def rows(table: pl.DataFrame) -> list[tuple[int, int, int]]:
    """Steps as (floor_e8, initial_ppm, maintenance_ppm), the initial rate 1 / max leverage."""
    return [
        (e8(str(row["min_notional"])), ppm(1 / row["max_leverage"]), ppm(rate))
        for row in table.sort("tier").iter_rows(named=True)
        for rate in [row["maintenance_margin_rate"]]
    ]


@pytest.mark.real_data
@pytest.mark.skipif(not TABLES, reason="the recorded tier tables are not here")
def test_every_published_deduction_follows_from_the_rates() -> None:
    published = pl.concat([pl.read_parquet(path) for path in TABLES])
    groups = list(published.partition_by(["as_of", "symbol"], maintain_order=True))
    tables = [rows(group) for group in groups]
    tiers = load_profile("binance-usdm").tiers(tables, [PPM] * len(tables))
    differs = []
    for row, group in enumerate(groups):
        steps = group.sort("tier")
        count = len(steps)
        found = tiers.maintenance.cum_e8[row, :count] / E8
        found = found + tiers.maintenance.cum_rest_ppb[row, :count] / PPB / E8
        given = steps["maintenance_amount_deducted"].to_numpy()
        if not np.allclose(found, given, rtol=1e-9, atol=0.005):
            differs.append((group["symbol"][0], group["as_of"][0]))
        # At the ceiling of each step: notional x rate - deduction, as the venue states it.
        notional = np.minimum(steps["max_notional"].to_numpy() * (1 - 1e-9), 9e9)
        notional_e8 = np.rint(notional * E8).astype(np.int64)
        _, maintenance, fits = requirement(notional_e8, ints([row] * count), tiers)
        stated = notional * steps["maintenance_margin_rate"].to_numpy() - given
        assert not fits.all() or np.allclose(maintenance / E8, stated, rtol=1e-6, atol=0.01)
    assert len(groups) > 400
    assert differs == []
