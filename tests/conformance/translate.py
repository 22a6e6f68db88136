"""Numbers and one-row columns of the vectors, as the product takes them."""

import numpy as np

from risk.holdings import Assets, Contracts, Rules, StepTable, Tiers
from schemas.units import E8, PPM, e8_nearest


def column(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def amount(*values: float) -> np.ndarray:
    """Decimal numbers as e8 integers."""
    return column(*(e8_nearest(value) for value in values))


def ppm(rate: float) -> int:
    return round(rate * PPM)


def linear_rules(tiers: Tiers, multiplier: float = 1, settlement_price: float = 1) -> Rules:
    """Linear contracts of one multiplier, settled in one asset without haircut."""
    count = len(tiers.scalar_ppm)
    every = np.ones(count, np.int64)
    contracts = Contracts(
        np.zeros(count, np.bool_), every * e8_nearest(multiplier), every * 0, every, every
    )
    return Rules(contracts, tiers, Assets(amount(settlement_price), column(0), StepTable.of([[]])))


def number(value_e8: int) -> float:
    return int(value_e8) / E8
