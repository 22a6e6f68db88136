"""Sums over all accounts: nothing comes from nowhere, and nothing goes there."""

from collections import Counter
from collections.abc import Iterable, Mapping

from schemas.units import text
from streams.audit.account import AccountState
from streams.audit.findings import Findings
from streams.audit.history import Partition
from streams.audit.rulebook import Record, Rulebook


def check_sums(
    parts: Iterable[Partition],
    engine: Mapping[str, AccountState],
    rules: Rulebook,
    findings: Findings,
) -> None:
    """Per asset, balances are deposits less withdrawals; per instrument, positions are zero.

    What is on its way, in legs that are not read back yet, counts. Where the inputs hold one side
    of a trade only, so much is left over in both.
    """
    balances: Counter[str] = Counter()
    positions: Counter[tuple[str, str]] = Counter()
    for state in engine.values():
        for (_, asset), e8 in state.balances.items():
            balances[asset] += e8
        for (_, name), (quantity_e8, cost_e8) in state.positions.items():
            positions[name, "quantity"] += quantity_e8
            positions[name, "cost"] += cost_e8
    expected: Counter[str] = Counter()
    on_the_way: list[Record] = []
    still_open: Counter[tuple[str, str]] = Counter()
    for part in parts:
        expected.update(part.flows_e8)
        expected.update(part.book.paired_e8)
        on_the_way.extend(part.outstanding)
        for name, holders in part.book.positions.items():
            still_open[name, "quantity"] += sum(held[0] for held in holders.values())
            still_open[name, "cost"] += sum(held[1] for held in holders.values())
    for leg in on_the_way:
        if leg["asset"] is not None:
            balances[leg["asset"]] += leg["amount_e8"]
    for asset in sorted(balances.keys() | expected.keys()):
        if balances[asset] != expected[asset]:
            findings.unbalanced.append(
                f"{asset}: all balances are {text(balances[asset])}, "
                f"deposits less withdrawals {text(expected[asset])}"
            )
    for name, what in sorted(positions.keys() | still_open.keys()):
        if positions[name, what] != still_open[name, what]:
            findings.unbalanced.append(
                f"{name}: the sum of {what} is {text(positions[name, what])}, "
                f"by the inputs {text(still_open[name, what])}"
            )
