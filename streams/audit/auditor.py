"""The audit: every balance, order and letter of the engine against the input topics alone."""

from collections.abc import Iterable, Mapping
from math import inf
from typing import NamedTuple

from streams.audit.account import AccountState
from streams.audit.broadcast import read_rules
from streams.audit.checks import Checks
from streams.audit.conservation import check_sums
from streams.audit.explaining import compare
from streams.audit.findings import Findings
from streams.audit.letters import Letters
from streams.audit.limits import STANDARD, Limits
from streams.audit.minutes import Sums, check_minutes
from streams.audit.outputs import (
    APPLIED,
    Output,
    check_ids,
    check_numbers,
    offsets_applied,
    outputs,
)
from streams.audit.partition import Folder, Orders
from streams.audit.partitioner import partition_of
from streams.audit.penalties import open_orders
from streams.audit.reading import Log
from streams.audit.transfers import WRITING_US, sums_of

ACCOUNT_TOPICS = ("collateral", "transfers", "auction-bids", "fills", "orders")


class Report(NamedTuple):
    """What was found, and what all accounts add up to at the end."""

    findings: Findings
    sums: Sums
    on_the_way: Mapping[str, int]
    """What legs that are not read back yet add up to, by asset and by instrument."""
    until_us: int


def audit(
    log: Log,
    engine: Mapping[str, AccountState],
    orders: Orders,
    *,
    limits: Limits = STANDARD,
    tolerance_e8: int = 2,
) -> Findings:
    """Everything in the log and the engine's accounts that does not follow from the inputs.

    `log` has all partitions of all topics, from their beginning. `engine` has all accounts, slices
    of system accounts included; `orders` says what fell between which inputs. A liquidation may
    differ from what is computed here by `tolerance_e8`. Jumps and slow averages are taken from the
    engine's own word.
    """
    return report(log, engine, orders, limits=limits, tolerance_e8=tolerance_e8).findings


def report(
    log: Log,
    engine: Mapping[str, AccountState] | None,
    orders: Orders,
    *,
    limits: Limits = STANDARD,
    tolerance_e8: int = 2,
    running: bool = False,
    every_us: int = 60_000_000,
) -> Report:
    """The audit with its sums, taken every `every_us` of event time.

    `engine` None: from the topics alone. `running`: the engine goes on, and its accounts were read
    before the topics; what it had not yet done then is counted, not found fault with.
    """
    findings = Findings()
    for (topic, _), entries in log.items():
        findings.counts[topic] += len(entries)
    letters = Letters(log, findings)
    rules = read_rules(log, letters, limits.stale_ms * 1_000)
    liquidations = list(outputs(log, "liquidations", findings))
    folder = Folder(
        log,
        rules,
        letters=letters,
        findings=findings,
        orders=orders,
        fees=(open_orders(liquidations), limits.penalty_ppm),
        running=running,
    )
    numbers = sorted({number for topic, number in log if topic in ACCOUNT_TOPICS})
    ends = _ends(engine or {}, len(numbers))
    # a running engine that has no account of a partition has read nothing of it
    unknown = dict.fromkeys(ACCOUNT_TOPICS, 0) if running and engine is not None else {}
    parts = [folder.fold(number, ends.get(number, unknown)) for number in numbers]
    letters.finish(log, running=running)
    histories = {} if engine is None else compare(parts, engine, log, rules, findings)
    check_ids(log, findings)
    check_numbers([*outputs(log, "margin-calls", findings), *liquidations], findings)
    known = _Known(ends if engine is not None else None, len(numbers), rules.clock_us)
    checks = Checks(parts, log, rules, findings, limits=limits)
    checks.decisions(
        known.of(liquidations, findings) if running else liquidations,
        histories,
        tolerance_e8=tolerance_e8,
        exact=orders is not None,
    )
    legs = list(outputs(log, "transfers", Findings()))  # those that cannot be read have letters
    checks.waterfall(
        liquidations,
        known.of(legs, findings) if running else legs,
        rules.clock_us - WRITING_US if running else inf,
    )
    sums = check_minutes(parts, log, rules, findings, every_us)
    if engine is not None:
        check_sums(parts, engine, rules, findings)
    on_the_way = sums_of(leg for part in parts for leg in part.outstanding)
    return Report(findings, sums, on_the_way, rules.clock_us)


class _Known(NamedTuple):
    """How far a running engine's accounts go, as they were read."""

    ends: Mapping[int, Mapping[str, int]] | None
    """None: nothing is known of its accounts."""
    partitions: int
    clock_us: int

    def of(self, decided: Iterable[Output], findings: Findings) -> list[Output]:
        """The decisions of which those accounts know all that they follow from."""
        known = []
        for one in decided:
            if one.record.get("leg") or self._knows(one):
                known.append(one)  # of a transfer its first leg's account has decided
            else:
                findings.unjudged += 1
        return known

    def _knows(self, one: Output) -> bool:
        if one.record["event_time"] >= self.clock_us:
            return False
        if self.ends is None or APPLIED not in one.headers:
            return True
        ends = self.ends.get(partition_of(one.record["account_id"], self.partitions), {})
        applied = offsets_applied(one.headers)
        return all(end <= ends.get(topic, 0) for topic, end in applied.items())


def _ends(engine: Mapping[str, AccountState], partitions: int) -> dict[int, dict[str, int]]:
    """Partition -> topic -> one past the last record that was applied to any of its accounts."""
    ends: dict[int, dict[str, int]] = {}
    for name, state in engine.items():
        of_partition = ends.setdefault(partition_of(name, partitions), {})
        for topic, offset in state.offsets.items():
            of_partition[topic] = max(of_partition.get(topic, 0), offset)
    return {number: found for number, found in ends.items() if found}
