"""The loss of a bankrupt account split between its own funds, the insurance fund and everyone.

Amounts are float64 of one account in native units. Source: Mango v4.
"""

from dataclasses import dataclass
from math import ceil

from risk.liquidation.restoring import Token

ON_UNIT = 1e-9  # an amount this close above a whole unit is that unit


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss that is left once positions are closed, and what may be taken of it."""

    amount: float  # tokens, positive
    settleable: float  # of it, by the limit on what may be settled now
    transferable: float  # of it, what the liquidator takes over


@dataclass(frozen=True, slots=True)
class Fund:
    """The insurance fund: whole units of its own asset, and what one is worth in tokens."""

    units: int
    unit_value: float


@dataclass(frozen=True, slots=True)
class Split:
    """Who bears what; tokens, but for the units of the fund."""

    settled: float  # the account itself
    insured: float  # the liquidator takes it over, paid by the fund
    units: int  # that the fund pays
    socialised: float


def split(loss: Loss, balance: float, other_health: float, token: Token, fund: Fund) -> Split:
    """How a loss is borne: settled from the account's own balance, then insured, then socialised.

    Settled as far as the account's health without the loss allows. What is left beyond that and
    keeps health below 0 is taken over by the liquidator for whole units of the fund, rounded up,
    and, only once the fund is empty, socialised: a liquidator who takes less than there is never
    causes that. Raises ValueError where there is no loss.
    """
    if loss.amount <= 0:
        raise ValueError(f"{loss.amount} is not a loss")
    alone = token.health(balance) + other_health
    most = max(min(token.takeable(alone, balance), loss.settleable, loss.amount), 0)
    settled = min(most, loss.transferable)
    left = loss.amount - settled
    if settled < most or left <= 0:
        return Split(settled, 0.0, 0, 0.0)
    owed = balance - loss.amount
    missing = min(left, token.givable(token.health(owed) + other_health, owed))
    wanted = min(missing, loss.transferable - settled)
    units = min(ceil(wanted / fund.unit_value - ON_UNIT), fund.units)
    insured = min(units * fund.unit_value, wanted)
    return Split(settled, insured, units, missing - insured if units == fund.units else 0.0)
