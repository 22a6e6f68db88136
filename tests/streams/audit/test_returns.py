"""Whether a winner's leg is taken or turned away, also while the winner gives of the same gain."""

from typing import Any

import pytest

from schemas.units import E8
from streams.audit.account import Book
from streams.audit.findings import Findings
from streams.audit.returns import Clerk
from streams.audit.rulebook import Contract, Rulebook
from streams.audit.written import Written

SHARE = range(5, 8)
"""Decided where offset 5 was next to be read; the slice's own last leg is at 8."""
TAKEN = "was taken while a share of a loss was on its way"
TURNED_AWAY = "was turned away, and closes such a position at no loss"


def leg(account: str, **more: Any) -> dict[str, Any]:
    return {
        "event_time": 1, "account_id": account, "transfer_id": "d/1", "leg": 1, "legs": 2,
        "kind": "DELEVERAGE", "bucket": "cross", "asset": None, "amount_e8": 0,
        "instrument_id": "BTC-PERP", "quantity_e8": 0, "cost_e8": 0, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("offset", "returned", "said"),
    [
        (4, False, []),
        (5, False, [TAKEN]),
        (5, True, []),
        (7, False, [TAKEN]),
        (8, False, []),
        (8, True, [TURNED_AWAY]),
    ],
)
def test_nobody_is_closed_out_between_a_share_and_its_last_leg(
    offset: int, returned: bool, said: list[str]
) -> None:
    rules, findings = Rulebook(), Findings()
    rules.contracts["BTC-PERP"] = Contract(False, False, False, E8, "USDT", "BTC", "USDT")
    book = Book(rules, 3)
    book.positions["BTC-PERP"]["bob", "cross"] = [-E8, -50_000 * E8]
    ids = frozenset(["d/1", "d/1/return"] if returned else ["d/1"])
    known = Written(ids, {"@socialised:USDT#3": [SHARE]})
    clerk = Clerk(book, findings, rules, known, frozenset(), ordered=True)
    booked = clerk.book(leg("bob", quantity_e8=E8, cost_e8=48_000 * E8), offset)
    assert booked["refused"] == returned
    assert [one.partition(" of bob ")[2] for one in findings.unjustified] == said
    held = book.positions["BTC-PERP"]
    assert held["bob", "cross"] == ([-E8, -50_000 * E8] if returned else [0, 0])
    assert (("@returns:USDT#3", "cross") in held) == returned


def test_a_slice_that_takes_more_of_winners_than_was_asked_is_found() -> None:
    rules, findings = Rulebook(), Findings()
    rules.contracts["BTC-PERP"] = Contract(False, False, False, E8, "USDT", "BTC", "USDT")
    book = Book(rules, 3)
    book.balances["@socialised:USDT#3", "cross", "USDT"] = -100 * E8
    clerk = Clerk(book, findings, rules, Written(frozenset(), {}), frozenset(), ordered=True)
    given = leg("@socialised:USDT#3", kind="SOCIALISED_LOSS", cost_e8=-60 * E8)
    clerk.book(given, 1)
    assert findings.unbalanced == []
    clerk.book(given, 2)
    assert len(findings.unbalanced) == 1
    assert "takes more from @socialised:USDT#3 than it was given" in findings.unbalanced[0]
