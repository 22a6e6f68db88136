"""What transfers between accounts do to the exchange's books."""

from collections.abc import Mapping
from typing import Any

from streams.market.books import Books

APPLIED_ELSEWHERE = frozenset({"FUNDING", "SETTLEMENT"})
"""Transfers of these kinds the exchange's own books already know of."""
REFUSABLE = frozenset({"AUCTION", "DELEVERAGE"})
"""Kinds whose leg the owner of its account may refuse when it is applied."""
FUND = "@insurance:"

RETURNED = "/return"
"""What the id of a RETURN has behind that of the transfer of which a leg comes back."""

Leg = Mapping[str, Any]


class Handovers:
    """Books every leg once: of accounts that trade here, and of the insurance funds.

    A leg that was refused comes back to its fund by a RETURN. The leg itself stands on the topic
    all the same: it is taken back when the RETURN is heard, or not booked where the RETURN was
    heard first.
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        self._seen: set[tuple[str, int]] = set()
        self._booked: dict[str, Leg] = {}
        self._returned: set[str] = set()

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
                self._take_back(leg["transfer_id"].removesuffix(RETURNED))

    def _hand_over(self, leg: Leg) -> None:
        if leg["transfer_id"] in self._returned:
            return
        self._books.transfer(leg)
        self._booked[leg["transfer_id"]] = leg

    def _take_back(self, transfer_id: str) -> None:
        self._returned.add(transfer_id)
        leg = self._booked.pop(transfer_id, None)
        if leg is not None:
            fields = ("amount_e8", "quantity_e8", "cost_e8")
            self._books.transfer({**leg, **{name: -leg[name] for name in fields}})
