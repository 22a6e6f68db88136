"""What transfers between accounts do to the exchange's books."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from streams.market.books import Books

APPLIED_ELSEWHERE = frozenset({"FUNDING", "SETTLEMENT"})
"""Transfers of these kinds the exchange's own books already know of."""
REFUSABLE = frozenset({"AUCTION", "DELEVERAGE"})
"""Kinds whose leg the owner of its account may refuse when it is applied."""
FUND = "@insurance:"

Leg = Mapping[str, Any]
Amounts = tuple[str, int, int]
"""Instrument, quantity and cost of a leg."""


class Handovers:
    """Books every leg once: of accounts that trade here, and of the insurance funds.

    A leg that was refused comes back to its fund as a RETURN of the same contracts at the same
    cost. The leg itself stands on the topic all the same: it is taken back when the RETURN is
    heard, or not booked where the RETURN was heard first.
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        self._seen: set[tuple[str, int]] = set()
        self._booked: dict[Amounts, list[Leg]] = {}
        self._returned: Counter[Amounts] = Counter()

    def book(self, leg: Leg) -> None:
        key = (leg["transfer_id"], leg["leg"])
        if leg["kind"] in APPLIED_ELSEWHERE or key in self._seen:
            return
        self._seen.add(key)
        of_fund = leg["account_id"].startswith(FUND)
        if leg["kind"] == "TAKEOVER" and not of_fund:
            self._books.drop(leg["account_id"], leg["bucket"], leg["instrument_id"])
        elif leg["kind"] in REFUSABLE and not of_fund:
            self._hand_over(leg)
        else:
            self._books.transfer(leg)
            if leg["kind"] == "RETURN" and of_fund:
                self._take_back(_amounts(leg))

    def _hand_over(self, leg: Leg) -> None:
        amounts = _amounts(leg)
        if self._returned[amounts]:
            self._returned[amounts] -= 1
            return
        self._books.transfer(leg)
        self._booked.setdefault(amounts, []).append(leg)

    def _take_back(self, amounts: Amounts) -> None:
        """The latest such leg: whoever refused has been asked last."""
        legs = self._booked.get(amounts)
        if not legs:
            self._returned[amounts] += 1
            return
        leg = legs.pop()
        _, quantity_e8, cost_e8 = amounts
        self._books.transfer(
            {**leg, "amount_e8": 0, "quantity_e8": -quantity_e8, "cost_e8": -cost_e8}
        )


def _amounts(leg: Leg) -> Amounts:
    return leg["instrument_id"] or "", leg["quantity_e8"], leg["cost_e8"]
