"""The liquidation of one position in paced calls, each closing what time allows of the shortfall.

Amounts, prices and rates are float64 of one account; times in any one unit. Source: Drift v2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from risk.liquidation.partial import affordable_insurance_fee, allowed_share, share_left
from risk.liquidation.sizing import closing_quantity
from schemas.units import Floats

ON_LOT = 1e-9  # a number of lots this close above a whole one is that one


@dataclass(frozen=True, slots=True)
class Pace:
    """Rates of the liquidation of a position and how fast it may go."""

    maintenance_rate: float
    buffer: float  # on the rate and on losses: what is to be left at the end
    fee: float  # of the value closed, to the liquidator
    insurance_fee: float  # at most this, to the insurance fund
    lot: float
    initial: float = 1.0  # share of the shortfall that may go at once
    duration: float = 1.0  # until all of it may
    full_below: float = 50.0  # a smaller shortfall goes at once, and so does a smaller position
    order_margin: float = 0.01  # that each open order requires
    insurance_share: float = 0.95  # of what the account can spare
    grain: float = 1e-4  # of shares


@dataclass(frozen=True, slots=True)
class Account:
    """Collateral and one position with the open orders on it."""

    quantity: float  # signed
    quote: float  # what was received (negative: paid) for it
    collateral: float
    bids: tuple[float, ...] = ()  # quantities of open orders
    asks: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Paced:
    """What the calls left, [C] each."""

    left: Floats  # size of the position
    freed: Floats  # of the shortfall so far; 0 once the liquidation has ended
    insurance_fee: Floats  # paid in this call
    liquidating: bool  # after the last call


def paced(
    account: Account, price: float, calls: Sequence[float], since: float, pace: Pace
) -> Paced:
    """The account after each call, at times ascending from `since`, when it was last active.

    A call cancels the open orders first. Then, unless the buffered requirement is met, it closes
    the allowed share of the quantity that covers the shortfall, whole lots, rounded up; the
    liquidation ends once that quantity is closed. Nothing happens to an account that is not below
    its plain requirement.
    """
    walk = _Walk(account, price, pace)
    rows = [walk.call(now - since) for now in calls]
    left, freed, fee = np.array(rows, np.float64).reshape(-1, 3).T
    return Paced(left, freed, fee, walk.liquidating)


class _Walk:
    """Where the account stands between two calls."""

    def __init__(self, account: Account, price: float, pace: Pace) -> None:
        self.quantity, self.quote = account.quantity, account.quote
        self.collateral = account.collateral
        self.bids, self.asks = account.bids, account.asks
        self.price, self.pace = price, pace
        self.freed = 0.0
        self.liquidating = False

    def call(self, elapsed: float) -> tuple[float, float, float]:
        self.liquidating = self.liquidating or self._shortfall(0) > 0
        fee = 0.0
        if self.liquidating:
            before = self._shortfall(self.pace.buffer)
            self.bids = self.asks = ()
            self.freed += before - self._shortfall(self.pace.buffer)
            if self._shortfall(self.pace.buffer) <= 0:
                self._end()
            else:
                fee = self._close(elapsed)
        return abs(self.quantity), self.freed, fee

    def _shortfall(self, buffer: float) -> float:
        """Missing to the requirement, with a buffer on its rate and on the loss."""
        profit = self.quantity * self.price + self.quote
        worst = max(abs(self.quantity + sum(self.bids)), abs(self.quantity - sum(self.asks)))
        required = worst * self.price * (self.pace.maintenance_rate + buffer)
        required += (len(self.bids) + len(self.asks)) * self.pace.order_margin
        return required - self.collateral - profit * (1 + buffer if profit < 0 else 1)

    def _close(self, elapsed: float) -> float:
        """The insurance fee of what is closed."""
        pace, held = self.pace, abs(self.quantity)
        rate, shortfall = pace.maintenance_rate + pace.buffer, self._shortfall(pace.buffer)
        insurance = affordable_insurance_fee(
            shortfall,
            held * self.price,
            rate,
            highest=pace.insurance_fee,
            fee=pace.fee,
            share=pace.insurance_share,
        )
        covering = self._lots(
            float(
                closing_quantity(
                    np.array([shortfall]),
                    np.array([self.price]),
                    np.array([rate]),
                    fee=pace.fee,
                    insurance_fee=float(insurance),
                )[0]
            )
        )
        allowed = allowed_share(
            shortfall,
            elapsed,
            initial=pace.initial,
            duration=pace.duration,
            full_below=pace.full_below,
            grain=pace.grain,
        )
        share = float(share_left(shortfall, self.freed, allowed, grain=pace.grain))
        if not share:
            return 0.0
        small = held * self.price <= pace.full_below
        closed = held if small else min(self._lots(min(covering * share, held)), held)
        value = closed * self.price
        sign = np.sign(self.quantity)
        self.quantity -= sign * closed
        self.quote += sign * value - value * (pace.fee + float(insurance))
        self.freed += shortfall - self._shortfall(pace.buffer)
        if closed >= covering:
            self._end()
        return value * float(insurance)

    def _lots(self, quantity: float) -> float:
        """Rounded up to whole lots; +inf stays."""
        return float(np.ceil(quantity / self.pace.lot - ON_LOT) * self.pace.lot)

    def _end(self) -> None:
        self.liquidating, self.freed = False, 0.0
