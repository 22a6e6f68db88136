"""The legs of a takeover: all that a bucket holds goes to the insurance funds, as it stands."""

from typing import Any

import numpy as np

from streams.processors.outputs import Output
from streams.state.ledger import INSURANCE, Ledger


def takeover(ledger: Ledger, about: dict[str, Any], transfer_id: str, now_us: int) -> list[Output]:
    """Legs that move every position (quantity and cost) and every balance of a bucket.

    A position goes to the fund of its settlement asset, a balance to the fund of its asset. What
    the bucket was worth, above or below zero, goes with them: that is the bankruptcy price,
    paid in kind. The legs sum to zero by construction; nothing is applied until they are read
    back from the topic by the owner of each account.
    """
    book, rules = ledger.book, ledger.rules
    bucket = about["row"]
    positions, balances = book.positions, book.balances
    moves: list[tuple[str, dict[str, Any]]] = []
    for row in np.flatnonzero(positions.live & (positions["bucket"] == bucket)).tolist():
        instrument = int(positions["instrument"][row])
        asset = rules.assets[int(rules.contracts.settlement[instrument])]
        moves.append(
            (
                asset,
                {
                    "instrument_id": rules.instruments[instrument],
                    "quantity_e8": int(positions["quantity_e8"][row]),
                    "cost_e8": int(positions["cost_e8"][row]),
                },
            )
        )
    for row in np.flatnonzero(balances.live & (balances["bucket"] == bucket)).tolist():
        asset = rules.assets[int(balances["asset"][row])]
        if amount := int(balances["amount_e8"][row]):
            moves.append((asset, {"asset": asset, "amount_e8": amount}))
    legs = []
    for asset, amounts in moves:
        legs.append((about["account_id"], about["bucket"], _negative(amounts)))
        legs.append((INSURANCE + asset, "cross", amounts))
    empty = {"asset": None, "amount_e8": 0, "instrument_id": None, "quantity_e8": 0, "cost_e8": 0}
    return [
        Output(
            "transfers",
            account_id,
            {
                "event_time": now_us,
                "account_id": account_id,
                "transfer_id": transfer_id,
                "leg": number,
                "legs": len(legs),
                "kind": "TAKEOVER",
                "bucket": pool,
                **empty,
                **amounts,
            },
            f"{transfer_id}#{number}",
            about["source"],
            about["partition"],
        )
        for number, (account_id, pool, amounts) in enumerate(legs)
    ]


def _negative(amounts: dict[str, Any]) -> dict[str, Any]:
    return {k: v if isinstance(v, str) else -v for k, v in amounts.items()}
