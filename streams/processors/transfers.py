"""The legs of a transfer: what leaves one account arrives at another, all in one record set."""

from collections import Counter
from dataclasses import dataclass
from typing import Self

from streams.processors.outputs import Output
from streams.state.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Leg:
    """One account's part: an amount of an asset, or a position with its cost; signed."""

    account_id: str
    bucket: str = "cross"
    asset: str | None = None
    amount_e8: int = 0
    instrument_id: str | None = None
    quantity_e8: int = 0
    cost_e8: int = 0

    def to(self, account_id: str, bucket: str = "cross") -> Self:
        """The same arriving there."""
        return type(self)(
            account_id,
            bucket,
            self.asset,
            -self.amount_e8,
            self.instrument_id,
            -self.quantity_e8,
            -self.cost_e8,
        )


@dataclass(frozen=True, slots=True)
class Cause:
    """What a transfer follows from: its kind, when, the input, and the partition that decided."""

    kind: str
    now_us: int
    source: str
    partition: int


def transfer(ledger: Ledger, cause: Cause, transfer_id: str, legs: list[Leg]) -> list[Output]:
    """The records of one transfer, whose legs sum to zero by asset and instrument.

    Nothing is applied until they are read back by the owner of each account. Until then the legs
    of the partition's own system accounts are awaited: those accounts decide nothing meanwhile.
    """
    for number, leg in enumerate(legs):
        if leg.account_id[:1] == "@" and ledger.home(leg.account_id) == cause.partition:
            ledger.awaited[cause.partition, leg.account_id].add(f"{transfer_id}#{number}")
    later = Counter(leg.account_id for leg in legs)
    return [
        Output(
            "transfers",
            leg.account_id,
            {
                "event_time": cause.now_us,
                "account_id": leg.account_id,
                "transfer_id": transfer_id,
                "leg": number,
                "legs": len(legs),
                "kind": cause.kind,
                "bucket": leg.bucket,
                "asset": leg.asset,
                "amount_e8": leg.amount_e8,
                "instrument_id": leg.instrument_id,
                "quantity_e8": leg.quantity_e8,
                "cost_e8": leg.cost_e8,
                "more": _left(later, leg.account_id),
            },
            f"{transfer_id}#{number}",
            cause.source,
            cause.partition,
        )
        for number, leg in enumerate(legs)
    ]


def _left(later: Counter[str], account_id: str) -> int:
    """Legs for the account behind this one, the next of those that `later` counts."""
    later[account_id] -= 1
    return later[account_id]
