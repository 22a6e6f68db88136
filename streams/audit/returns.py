"""What goes back: legs that a bucket turned away, and what slices were given to pass on."""

from collections.abc import Collection

from streams.audit.account import Book
from streams.audit.findings import Findings
from streams.audit.judging import record_id
from streams.audit.rulebook import Record, Rulebook
from streams.audit.written import SOCIALISED, Written

CHECKED = frozenset({"AUCTION", "DELEVERAGE"})
"""Kinds of transfers whose legs a bucket of people may turn away."""
RETURNS = "@returns:"
GIVES = {"PENALTY": "@penalties:", "RETURN": RETURNS, "SOCIALISED_LOSS": SOCIALISED}
"""Kinds of transfers that empty a slice, and its name."""


def returned(transfer_id: str) -> str:
    """Id of the transfer that takes the position of another one back to its fund."""
    return f"{transfer_id}/return"


class Clerk:
    """Books legs of transfers: where their account turns them away, with the slice of returns.

    That a leg was turned away is told by the transfer that returns it, written with the same turn.
    """

    def __init__(
        self,
        book: Book,
        findings: Findings,
        rules: Rulebook,
        written: Written,
        stopped: Collection[str],
        *,
        ordered: bool,
    ) -> None:
        """`stopped`: "account/bucket" ever liquidated; `ordered`: whether it is known which fills
        a leg was booked behind."""
        self._book = book
        self._findings = findings
        self._rules = rules
        self._written = written
        self._stopped = stopped
        self._ordered = ordered

    def book(self, leg: Record, offset: int) -> Record:
        """Book a leg; returns it with `refused`, where it could be."""
        if leg["kind"] in CHECKED and not leg["account_id"].startswith("@"):
            leg = {**leg, "refused": self._refused(leg, offset)}
        slice_ = GIVES.get(leg["kind"])
        gives = slice_ is not None and leg["account_id"].startswith(slice_) and _empties(leg)
        before = self._held(leg) if gives else (0, 0)
        self._book.book("transfers", leg)
        after = self._held(leg) if gives else (0, 0)
        if any(
            had * has < 0 or abs(has) > abs(had) for had, has in zip(before, after, strict=True)
        ):
            self._findings.unbalanced.append(
                f"transfer {leg['transfer_id']} ({leg['kind']}) takes more from "
                f"{leg['account_id']} than it was given"
            )
        return leg

    def _refused(self, leg: Record, offset: int) -> bool:
        """Whether it was turned away; a finding where a deleveraging's should not, or should."""
        refused = returned(leg["transfer_id"]) in self._written.ids
        place = f"{leg['account_id']}/{leg['bucket']}"
        if not self._ordered:
            return refused
        if leg["kind"] != "DELEVERAGE":
            return refused
        slice_ = SOCIALISED + self._book.returns(leg).removeprefix(RETURNS)
        gives = any(offset in share for share in self._written.shares.get(slice_, ()))
        cannot = not self._book.closes(leg)
        if gives and not refused:
            self._say(leg, "was taken while a share of a loss was on its way")
        elif cannot and not refused:
            self._say(leg, "was taken, and closes no such position, or one at a loss")
        elif refused and not (cannot or gives) and place not in self._stopped:
            self._say(leg, "was turned away, and closes such a position at no loss")
        return refused

    def _held(self, leg: Record) -> tuple[int, int]:
        """Balance and contracts of a slice, of what the leg moves."""
        owner, name, asset = (leg["account_id"], leg["bucket"]), leg["instrument_id"], leg["asset"]
        if name is not None:
            asset = self._rules.contracts[name].settlement
        held = self._book.positions[name or ""].get(owner, (0, 0))
        return self._book.balances.get((*owner, asset or ""), 0), held[0]

    def _say(self, leg: Record, what: str) -> None:
        self._findings.unjustified.append(
            f"transfer {record_id('transfers', leg)} (DELEVERAGE) of {leg['account_id']} {what}"
        )


def _empties(leg: Record) -> bool:
    """Of a socialised loss the leg of the fund fills the slice, those of the winners empty it."""
    gives_e8: int = leg["amount_e8"] - leg["cost_e8"]
    return leg["kind"] != "SOCIALISED_LOSS" or gives_e8 > 0
