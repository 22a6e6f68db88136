"""Records of a crash made by hand: every stage of the waterfall, in round numbers.

ABC-PERP is linear, one coin a contract, its mark 90. The fund holds 10 from a takeover at 100, so
that it is 100 short.
"""

from collections.abc import Iterator
from typing import Any

from schemas.units import E8

FUND = "@insurance:USDT"
MARK = 90
Told = tuple[str, dict[str, Any]]


def instrument(name: str = "ABC-PERP", **changes: object) -> Told:
    record = {
        "instrument_id": name, "kind": "LINEAR_PERP", "settlement_asset": "USDT",
        "multiplier_e8": E8,
    }  # fmt: skip
    return "instruments", record | changes


def fill(account: str, order: str | None, quantity: int, price: int = MARK) -> Told:
    return "fills", {
        "account_id": account, "instrument_id": "ABC-PERP", "quantity_e8": quantity * E8,
        "price_e8": price * E8, "liquidation_id": order,
    }  # fmt: skip


def order(action: str, account: str, *, quantity: int, equity: int = 0) -> Told:
    return "liquidations", {
        "action": action, "account_id": account, "bucket": "cross", "episode": 1,
        "liquidation_id": f"{account}/1", "instrument_id": "ABC-PERP",
        "quantity_e8": quantity * E8, "equity_e8": equity * E8,
        "marks": [{"instrument_id": "ABC-PERP", "mark_e8": MARK * E8}],
    }  # fmt: skip


def auction(event: str, *, award: int = 0, price: int | None = None, bidder: str = "") -> Told:
    return "auctions", {
        "event": event, "auction_id": "u/1", "account_id": FUND, "instrument_id": "ABC-PERP",
        "quantity_e8": 5 * E8, "opening_price_e8": MARK * E8, "award_e8": award * E8,
        "price_e8": price and price * E8, "bidder": bidder,
    }  # fmt: skip


def asked(quantity: int, *, number: int = 1) -> Told:
    return "deleveraging", {
        "event": "ASKED", "request_id": f"{FUND}/{number}", "fund": FUND, "asset": "USDT",
        "instrument_id": "ABC-PERP", "quantity_e8": quantity * E8, "partition": -1,
        "candidates": [],
    }  # fmt: skip


def answered(partition: int, *candidates: tuple[str, int, int, float], number: int = 1) -> Told:
    """Candidates as (account, signed contracts, price of entry, score)."""
    told = [
        {
            "account_id": account, "bucket": "cross", "quantity_e8": quantity * E8,
            "cost_e8": quantity * entry * E8, "score": score,
        }
        for account, quantity, entry, score in candidates
    ]  # fmt: skip
    _, question = asked(0, number=number)
    return "deleveraging", question | {
        "event": "ANSWERED", "partition": partition, "candidates": told,
    }  # fmt: skip


def handed_over(
    winner: str, quantity: int, price: int, *, number: int = 1, kind: str = "DELEVERAGE"
) -> Iterator[Told]:
    """The two legs of a transfer from the fund to a winner, which follows from a request."""
    for leg, (account, sign) in enumerate(((FUND, -1), (winner, 1))):
        yield "transfers", {
            "transfer_id": f"{FUND}/{number}/{winner}", "leg": leg,
            "kind": kind, "account_id": account, "bucket": "cross", "asset": None, "amount_e8": 0,
            "instrument_id": "ABC-PERP", "quantity_e8": sign * quantity * E8,
            "cost_e8": sign * quantity * price * E8,
        }  # fmt: skip


def shared(account: str, amount: int) -> Told:
    """What a fund gets and a slice gives is money; winners give of the gain of a position."""
    money = account.startswith("@")
    return "transfers", {
        "transfer_id": f"s/{account}", "leg": 0, "kind": "SOCIALISED_LOSS",
        "account_id": account, "bucket": "cross",
        "asset": "USDT" if money else None, "amount_e8": amount * E8 if money else 0,
        "instrument_id": None if money else "ABC-PERP", "quantity_e8": 0,
        "cost_e8": 0 if money else -amount * E8,
    }  # fmt: skip


def balance(amount: int) -> Told:
    return "insurance-fund", {"asset": "USDT", "balance_e8": amount * E8}
