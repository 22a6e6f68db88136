"""Restoring the health of a cross account that holds a perpetual and the token it settles in.

Amounts and prices are float64 of one account in native units; weights are those of health at the
end of a liquidation. Source of the steps: Mango v4.
"""

from dataclasses import dataclass
from math import ceil, inf

ON_LOT = 1e-9  # a number of lots this close above a whole one is that one


@dataclass(frozen=True, slots=True)
class Token:
    """The token that profit is settled in: what a unit counts for, price x weight."""

    asset_value: float  # where it is owned
    liability_value: float  # where it is owed

    def health(self, balance: float) -> float:
        """What a balance adds to health."""
        return balance * (self.liability_value if balance < 0 else self.asset_value)

    def takeable(self, health: float, balance: float) -> float:
        """Units that may leave a balance until a health falls to 0; 0 where it is not above."""
        owned = max(balance, 0)
        if health > owned * self.asset_value:
            return owned + (health - owned * self.asset_value) / self.liability_value
        return health / self.asset_value if health > 0 else 0.0

    def givable(self, health: float, balance: float) -> float:
        """Units that may join a balance until a health rises to 0; 0 where it is not below."""
        return Token(self.liability_value, self.asset_value).takeable(-health, -balance)


@dataclass(frozen=True, slots=True)
class Perpetual:
    """How a perpetual counts, and what its liquidation costs."""

    lot_value: float  # price x units of a lot
    asset_weight: float  # of the underlying, held long
    liability_weight: float  # held short
    profit_weight: float  # of a positive sum of position and quote
    fee: float = 0.0  # of the value closed
    settlement_fee: float = 0.0  # of the profit settled


@dataclass(frozen=True, slots=True)
class Holding:
    """What the account has of both."""

    balance: float  # tokens
    lots: int  # signed
    quote: float  # tokens received (negative: paid) for the position


def restored(
    held: Holding,
    other_health: float,
    *,
    token: Token,
    perpetual: Perpetual,
    most_lots: int,
    most_settled: float,
    slack: float = 0.0,
) -> Holding:
    """The holding once its health is 0, or the limits of the liquidator are met.

    Closing a lot turns its weighted value into quote, settling turns quote into tokens. In turn:
    close while the weighted sum of position and quote is negative; settle of it what is positive;
    close as far as settling can still use it; settle again; close more where the sum counts at
    all and health is below -slack. Whole lots, rounded up. `other_health` is what all else adds.
    """
    long = held.lots > 0
    weight = perpetual.asset_weight if long else perpetual.liability_weight
    paid = perpetual.lot_value * (1 - perpetual.fee if long else -(1 + perpetual.fee))
    kept, counts = 1 - perpetual.settlement_fee, perpetual.profit_weight
    weighted = held.lots * perpetual.lot_value * weight + held.quote
    effective = held.balance + weighted * (counts if weighted > 0 else 1)
    freed = paid - perpetual.lot_value * (weight if long else -weight)
    closable = min(abs(held.lots), abs(most_lots)) if freed > 0 else 0
    walk = _Walk(token, freed, closable, weighted, effective, other_health)
    if walk.weighted < 0:
        walk.close(-walk.weighted, 1, 1)
    for last in (False, True):
        if walk.weighted >= 0 and kept > counts:
            walk.settle(kept - counts, most_settled)
        if walk.weighted >= 0 and walk.settled < most_settled and not last:
            walk.close(most_settled - walk.settled, kept, counts)
    if walk.health() < -slack and counts > 0:
        walk.close(inf, counts, counts)
    return Holding(
        held.balance + walk.settled * kept,
        held.lots - walk.closed if long else held.lots + walk.closed,
        held.quote + walk.closed * paid - walk.settled,
    )


@dataclass(slots=True)
class _Walk:
    """Where the account stands between two steps."""

    token: Token
    freed: float  # what closing a lot adds to the weighted sum
    closable: int  # lots
    weighted: float  # sum of position and quote
    effective: float  # balance of the token with what the sum counts for
    other_health: float
    closed: int = 0
    settled: float = 0.0

    def health(self) -> float:
        return self.token.health(self.effective) + self.other_health

    def close(self, limit: float, expected: float, at_once: float) -> None:
        """Close lots for at most `limit` tokens of health, of which a lot brings `expected` of what
        it frees in the end, once settled, and `at_once` now."""
        wanted = min(self.token.givable(self.health(), self.effective), limit)
        left = self.closable - self.closed
        if not left or wanted <= 0:
            return
        lots = min(ceil(wanted / (self.freed * expected) - ON_LOT), left)
        self.closed += lots
        self.weighted += lots * self.freed
        self.effective += lots * self.freed * at_once

    def settle(self, gain: float, most: float) -> None:
        """Settle what of the sum is positive; a token of it adds `gain` to what counts."""
        wanted = self.token.givable(self.health(), self.effective) / gain
        amount = max(min(wanted, most - self.settled, self.weighted), 0)
        self.settled += amount
        self.weighted -= amount
        self.effective += amount * gain
