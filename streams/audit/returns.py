"""Which awards of auctions came back: what a slice `@returns:` gives back, it was given before."""

from collections.abc import Iterable
from itertools import combinations

from streams.audit.account import Book
from streams.audit.findings import Findings
from streams.audit.judging import record_id
from streams.audit.rulebook import Record

CHECKED = frozenset({"AUCTION", "DELEVERAGE"})
"""Kinds of transfers whose legs a bucket of people may refuse."""
GIVES = {"PENALTY": "@penalties:", "RETURN": "@returns:", "SOCIALISED_LOSS": "@socialised:"}
"""Kinds of transfers that empty a slice, and its name."""
MOST_TOGETHER = 3
LAST = 12


def may_be_refused(leg: Record) -> bool:
    return leg["kind"] in CHECKED and not leg["account_id"].startswith("@")


def returned_awards(legs: Iterable[Record]) -> set[str]:
    """Ids of the legs of auctions that a partition refused, by what its slice returned later.

    `legs` are those of the partition in their order. Whether a bidder could afford an award is
    known at that moment only; so a return is taken for that of the last one, two or three legs
    that add up to it.
    """
    candidates: list[Record] = []
    found: set[str] = set()
    for leg in legs:
        if may_be_refused(leg):
            candidates.append(leg)
        elif leg["kind"] == "RETURN" and leg["account_id"].startswith(GIVES["RETURN"]):
            for one in _adding_up(leg, candidates):
                candidates.remove(one)
                if one["kind"] == "AUCTION":
                    found.add(str(record_id("transfers", one)))
    return found


def _adding_up(given: Record, candidates: list[Record]) -> tuple[Record, ...]:
    of_it = [one for one in candidates if one["instrument_id"] == given["instrument_id"]]
    for size in range(1, MOST_TOGETHER + 1):
        for some in combinations(reversed(of_it[-LAST:]), size):
            sums = [sum(one[field] for one in some) for field in ("quantity_e8", "cost_e8")]
            if sums == [-given["quantity_e8"], -given["cost_e8"]]:
                return some
    return ()


class SliceCheck:
    """Watches that a slice gives away nothing but what it was given."""

    def __init__(self, book: Book, findings: Findings) -> None:
        self._book = book
        self._findings = findings

    def book(self, leg: Record) -> None:
        """Book a leg; a finding where it empties a slice beyond nothing."""
        prefix = GIVES.get(leg["kind"])
        if prefix is None or not leg["account_id"].startswith(prefix) or not _empties(leg):
            self._book.book("transfers", leg)
            return
        before = self._held(leg)
        self._book.book("transfers", leg)
        for had, has in zip(before, self._held(leg), strict=True):
            if had * has < 0 or abs(has) > abs(had):
                self._findings.unbalanced.append(
                    f"transfer {leg['transfer_id']} ({leg['kind']}) takes more from "
                    f"{leg['account_id']} than it was given"
                )
                return

    def _held(self, leg: Record) -> tuple[int, int]:
        """Balance and contracts of the slice, of what the leg moves."""
        account, bucket = leg["account_id"], leg["bucket"]
        held = self._book.positions[leg["instrument_id"] or ""].get((account, bucket), (0, 0))
        return self._book.balances.get((account, bucket, leg["asset"] or ""), 0), held[0]


def _empties(leg: Record) -> bool:
    """Of a socialised loss the leg of the fund fills the slice, those of the winners empty it."""
    return bool(leg["kind"] != "SOCIALISED_LOSS" or leg["amount_e8"] > 0)
