"""The legs of a takeover: all that a bucket holds goes to the insurance funds, as it stands."""

from dataclasses import replace
from typing import Any

import numpy as np

from streams.processors.outputs import Output
from streams.processors.transfers import Cause, Leg, transfer
from streams.state.ledger import INSURANCE, Ledger


def takeover(ledger: Ledger, about: dict[str, Any], transfer_id: str, now_us: int) -> list[Output]:
    """Legs that move every position (quantity and cost) and every balance of a bucket.

    A position goes to the fund of its settlement asset, a balance to the fund of its asset. What
    the bucket was worth, above or below zero, goes with them: that is the bankruptcy price,
    paid in kind.
    """
    legs = []
    for asset, leg in holdings(ledger, about["row"], about["account_id"], about["bucket"]):
        legs.append(leg.to(leg.account_id, leg.bucket))
        legs.append(replace(leg, account_id=INSURANCE + asset, bucket="cross"))
    cause = Cause("TAKEOVER", now_us, about["source"], about["partition"])
    return transfer(ledger, cause, transfer_id, legs)


def holdings(ledger: Ledger, bucket: int, account_id: str, pool: str) -> list[tuple[str, Leg]]:
    """All that a bucket (row) holds, each with the asset in which it pays."""
    book, rules = ledger.book, ledger.rules
    positions, balances = book.positions, book.balances
    held: list[tuple[str, Leg]] = []
    for row in np.flatnonzero(positions.live & (positions["bucket"] == bucket)).tolist():
        instrument = int(positions["instrument"][row])
        leg = Leg(
            account_id,
            pool,
            instrument_id=rules.instruments[instrument],
            quantity_e8=int(positions["quantity_e8"][row]),
            cost_e8=int(positions["cost_e8"][row]),
        )
        held.append((rules.assets[int(rules.contracts.settlement[instrument])], leg))
    for row in np.flatnonzero(balances.live & (balances["bucket"] == bucket)).tolist():
        asset = rules.assets[int(balances["asset"][row])]
        if amount := int(balances["amount_e8"][row]):
            held.append((asset, Leg(account_id, pool, asset=asset, amount_e8=amount)))
    return held
