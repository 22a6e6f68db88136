"""The legs of a takeover: all that a bucket holds goes to the insurance funds, as it stands."""

from typing import NamedTuple

from schemas.block import Int64s
from streams.processors.outputs import Output
from streams.processors.transfers import Cause, Leg, transfer
from streams.state.ledger import INSURANCE, Ledger


class Held(NamedTuple):
    """A position or a balance, and the asset in which it pays."""

    asset: str
    leg: Leg


def takeover(ledger: Ledger, cause: Cause, transfer_id: str, held: list[Held]) -> list[Output]:
    """Legs that move every position (quantity and cost) and every balance of a bucket.

    A position goes to the fund of its settlement asset, a balance to the fund of its asset. What
    the bucket was worth, above or below zero, goes with them: that is the bankruptcy price,
    paid in kind.
    """
    legs = []
    for asset, leg in held:
        taken = leg.to(leg.account_id, leg.bucket)
        legs += [taken, taken.to(INSURANCE + asset)]
    return transfer(ledger, cause, transfer_id, legs)


def holdings_of(ledger: Ledger, buckets: Int64s) -> dict[int, list[Held]]:
    """By bucket (row), all that it holds: positions, then balances."""
    if not len(buckets):
        return {}
    book, rules = ledger.book, ledger.rules
    positions, balances = book.positions, book.balances
    owner: dict[int, tuple[str, str]] = dict(
        zip(buckets.tolist(), ledger.whose(buckets), strict=True)
    )
    held: dict[int, list[Held]] = {row: [] for row in owner}
    rows, _ = book.held.of(buckets)
    columns = (positions[name][rows] for name in ("bucket", "instrument", "quantity_e8", "cost_e8"))
    for bucket, instrument, quantity, cost in zip(*(c.tolist() for c in columns), strict=True):
        leg = Leg(
            *owner[bucket],
            instrument_id=rules.instruments[instrument],
            quantity_e8=quantity,
            cost_e8=cost,
        )
        asset = rules.assets[int(rules.contracts.settlement[instrument])]
        held[bucket].append(Held(asset, leg))
    rows, _ = book.owned.of(buckets)
    rows = rows[balances["amount_e8"][rows] != 0]
    columns = (balances[name][rows] for name in ("bucket", "asset", "amount_e8"))
    for bucket, number, amount in zip(*(c.tolist() for c in columns), strict=True):
        asset = rules.assets[number]
        held[bucket].append(Held(asset, Leg(*owner[bucket], asset=asset, amount_e8=amount)))
    return held
