"""The audit: every balance, order and letter of the engine against the input topics alone."""

from collections.abc import Iterable, Mapping
from math import inf
from typing import NamedTuple

from streams.audit.account import AccountState
from streams.audit.auctions import Auctions, bids_of
from streams.audit.broadcast import read_rules
from streams.audit.conservation import check_sums
from streams.audit.decisions import Decisions
from streams.audit.explaining import compare
from streams.audit.findings import Findings
from streams.audit.letters import Letters
from streams.audit.limits import STANDARD, Limits
from streams.audit.losses import Losses
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
from streams.audit.rulebook import Rulebook
from streams.audit.transfers import WRITING_US, check_legs, sums_of, transfers_of
from streams.audit.winners import Winners

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
    parts = [folder.fold(number, ends.get(number, {})) for number in numbers]
    letters.finish(log, running=running)
    histories = {} if engine is None else compare(parts, engine, log, rules, findings)
    check_ids(log, findings)
    check_numbers([*outputs(log, "margin-calls", findings), *liquidations], findings)
    until_us = rules.clock_us - WRITING_US if running else inf
    by_number = {part.number: part for part in parts}
    decisions = Decisions(rules, findings, limits=limits, tolerance_e8=tolerance_e8)
    judged = _known(liquidations, ends, rules, findings) if running else liquidations
    decisions.check(judged, by_number, log, histories)
    transfers = transfers_of(parts)
    check_legs(transfers, findings, until_us)
    sales = Auctions(bids_of(parts, log), transfers, rules, findings)
    sales.check(outputs(log, "auctions", findings), until_us)
    winners = Winners(
        outputs(log, "deleveraging", findings), liquidations, rules, findings,
        limits=limits, partitions=len(numbers),
    )  # fmt: skip
    winners.check(transfers, until_us)
    losses = Losses(by_number, log, rules, findings, limits=limits, winners=winners)
    legs = list(outputs(log, "transfers", Findings()))  # those that cannot be read have letters
    losses.check(_known(legs, ends, rules, findings) if running else legs)
    sums = check_minutes(parts, log, rules, findings, every_us)
    if engine is not None:
        check_sums(parts, engine, rules, findings)
    on_the_way = sums_of(leg for part in parts for leg in part.outstanding)
    return Report(findings, sums, on_the_way, rules.clock_us)


def _known(
    decided: Iterable[Output],
    ends: Mapping[int, Mapping[str, int]],
    rules: Rulebook,
    findings: Findings,
) -> list[Output]:
    """Those of which the engine's accounts, as they were read, know all that they follow from."""
    known = []
    for one in decided:
        if one.record.get("leg"):
            known.append(one)  # the first leg's account has decided it
            continue
        of_account = ends.get(partition_of(one.record["account_id"], len(ends)), {})
        applied = offsets_applied(one.headers) if APPLIED in one.headers else {}
        young = one.record["event_time"] >= rules.clock_us
        if young or any(end > of_account.get(topic, 0) for topic, end in applied.items()):
            findings.unjudged += 1
        else:
            known.append(one)
    return known


def _ends(engine: Mapping[str, AccountState], partitions: int) -> dict[int, dict[str, int]]:
    """Partition -> topic -> one past the last record that was applied to any of its accounts."""
    ends: dict[int, dict[str, int]] = {}
    for name, state in engine.items():
        of_partition = ends.setdefault(partition_of(name, partitions), {})
        for topic, offset in state.offsets.items():
            of_partition[topic] = max(of_partition.get(topic, 0), offset)
    return {number: found for number, found in ends.items() if found}
