"""What a worker says of its book at the end: stages, sums that must be conserved, a digest."""

from collections import Counter
from typing import Any

import numpy as np

from risk.liquidation.stages import Stage
from streams.processors.cycle import Cycle


def report(cycle: Cycle) -> dict[str, Any]:
    """Accounts by worst stage, sums by asset and instrument, digest; of several workers they add.

    `assets`: e8 sums of all balances, and deposits less withdrawals; conserved where equal.
    `instruments`: e8 sums of quantity and of cost; conserved where zero.
    """
    ledger = cycle.ledger
    book, rules = ledger.book, ledger.rules
    assets = {name: {"balances_e8": 0, "external_e8": 0} for name in rules.assets}
    for row in book.balances.live_rows().tolist():
        name = rules.assets[int(book.balances["asset"][row])]
        assets[name]["balances_e8"] += int(book.balances["amount_e8"][row])
    for (_, name), amount in ledger.external_e8.items():
        assets[name]["external_e8"] += amount
    instruments = {name: {"quantity_e8": 0, "cost_e8": 0} for name in rules.instruments}
    for row in book.positions.live_rows().tolist():
        sums = instruments[rules.instruments[int(book.positions["instrument"][row])]]
        for field in sums:
            sums[field] += int(book.positions[field][row])
    return {
        "stages": _stages(cycle),
        "assets": assets,
        "instruments": instruments,
        "digest": book.digest(rules.assets, rules.instruments),
        "applied": dict(cycle.applied),
        "dead_letters": dict(cycle.letters.by_reason),
    }


def _stages(cycle: Cycle) -> dict[str, int]:
    book = cycle.ledger.book
    worst = np.zeros(book.accounts.capacity, np.int8)
    buckets = book.buckets.live_rows()
    np.maximum.at(worst, book.buckets["account"][buckets], book.buckets["stage"][buckets])
    people = book.accounts.live & ~book.accounts["system"]
    counts = Counter(worst[people].tolist())
    return {stage.name: counts.get(int(stage), 0) for stage in Stage}
