"""What a value adds to the surplus of a bucket and a notional takes from it, as float64 lines."""

import numpy as np

from risk.holdings import Rules, StepTable, Tiers
from risk.kept import kept
from risk.margin.boundary import Lines
from risk.tables import MAX_RATE_PPB, NO_FLOOR, PPB
from schemas.units import E8, PPM, Floats, Int64s


@kept
def rule_lines(rules: Rules) -> Lines:
    """Rows 0..A-1: an asset's value as it counts; rows A..A+I-1: minus the maintenance margin."""
    assets = rules.assets
    floor, rate, deduction = _columns(assets.haircuts)
    floor[:, 0] = 0
    edge = np.full((len(floor), 1), -np.inf)
    weight = 1 + assets.borrow_weight_ppm[:, None] / PPM
    counted = Lines(
        np.hstack((edge, floor)),
        np.hstack((weight, 1 - rate)),
        np.hstack((np.zeros_like(edge), deduction)),
    )
    return stacked(counted, _of_tiers(rules.tiers))


@kept
def _of_tiers(tiers: Tiers) -> Lines:
    return _required(*_columns(tiers.maintenance))


def sized_lines(tiers: Tiers, instrument: Int64s, size: Floats) -> Lines:
    """Minus the maintenance margin of positions, one row each, by the method `sqrt` at a size.

    Size [R] in units of the base; without a size factor the row is that of the instrument.
    """
    floor, rate, deduction = _columns(tiers.maintenance)
    fee = tiers.fee_ppb[instrument, None] / PPB
    plain = rate[instrument] - fee
    factor = tiers.maintenance_factor_ppb[instrument] / PPB
    premium = 0.8 * plain + (factor * np.sqrt(size))[:, None]
    charged = (tiers.initial.rate_ppb[instrument] > 0) & (factor > 0)[:, None]
    lifted = np.minimum(np.maximum(plain, premium) + fee, MAX_RATE_PPB / PPB)
    return _required(
        floor[instrument], np.where(charged, lifted, rate[instrument]), deduction[instrument]
    )


def stacked(above: Lines, below: Lines) -> Lines:
    """The rows of both, padded to one width."""
    (first, wide), (more, width) = above.floor.shape, below.floor.shape
    size = first + more, max(wide, width)
    both = Lines(np.full(size, np.inf), np.zeros(size), np.zeros(size))
    for table, upper, lower in zip(both, above, below, strict=True):
        table[:first, :wide] = upper
        table[first:, :width] = lower
    return both


def _required(floor: Floats, rate: Floats, deduction: Floats) -> Lines:
    floor = floor.copy()
    floor[:, 0] = -np.inf
    return Lines(floor, -rate, deduction)


def _columns(steps: StepTable) -> tuple[Floats, Floats, Floats]:
    floor = np.where(steps.floor_e8 == NO_FLOOR, np.inf, steps.floor_e8 / E8)
    return floor, steps.rate_ppb / PPB, (steps.cum_e8 + steps.cum_rest_ppb / PPB) / E8
