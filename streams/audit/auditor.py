"""The audit: every balance, order and letter of the engine against the input topics alone."""

from collections.abc import Mapping

from streams.audit.account import AccountState
from streams.audit.broadcast import read_rules
from streams.audit.conservation import check_sums
from streams.audit.decisions import Decisions
from streams.audit.explaining import compare
from streams.audit.findings import Findings
from streams.audit.letters import Letters
from streams.audit.outputs import check_ids, check_legs, check_numbers, outputs
from streams.audit.partition import Folder, Orders
from streams.audit.partitioner import partition_of
from streams.audit.reading import Log

ACCOUNT_TOPICS = ("collateral", "transfers", "fills", "orders")


def audit(
    log: Log,
    engine: Mapping[str, AccountState],
    orders: Orders,
    *,
    stale_ms: int = 15_000,
    deviation_ppm: int = 100_000,
    wide_ppm: int = 100_000,
    tolerance_e8: int = 2,
) -> Findings:
    """Everything in the log and the engine's accounts that does not follow from the inputs.

    `log` has all partitions of all topics, from their beginning. `engine` has all accounts, slices
    of system accounts included; `orders` says what fell between which inputs. `stale_ms`,
    `deviation_ppm` and `wide_ppm` are the engine's settings; a liquidation may differ from what is
    computed here by `tolerance_e8`. Jumps and slow averages are taken from the engine's own word.
    """
    findings = Findings()
    for (topic, _), entries in log.items():
        findings.counts[topic] += len(entries)
    letters = Letters(log, findings)
    rules = read_rules(log, letters, stale_ms * 1_000)
    folder = Folder(log, rules, letters=letters, findings=findings, orders=orders)
    numbers = sorted({number for topic, number in log if topic in ACCOUNT_TOPICS})
    ends = _ends(engine, len(numbers))
    parts = [folder.fold(number, ends.get(number, {})) for number in numbers]
    letters.finish()
    histories = compare(parts, engine, log, rules, findings)
    check_ids(log, findings)
    liquidations = list(outputs(log, "liquidations", findings))
    check_numbers([*outputs(log, "margin-calls", findings), *liquidations], findings)
    check_legs(parts, findings)
    decisions = Decisions(
        rules, findings, limits=(stale_ms, deviation_ppm, wide_ppm), tolerance_e8=tolerance_e8
    )
    decisions.check(liquidations, {part.number: part for part in parts}, log, histories)
    check_sums(parts, engine, rules, findings)
    return findings


def _ends(engine: Mapping[str, AccountState], partitions: int) -> dict[int, dict[str, int]]:
    """Partition -> topic -> one past the last record that was applied to any of its accounts."""
    ends: dict[int, dict[str, int]] = {}
    for name, state in engine.items():
        if not state.offsets:
            continue
        _, mark, slice_ = name.rpartition("#")
        sliced = name.startswith("@") and mark and slice_.isdigit()
        number = int(slice_) if sliced else partition_of(name, partitions)
        of_partition = ends.setdefault(number, {})
        for topic, offset in state.offsets.items():
            of_partition[topic] = max(of_partition.get(topic, 0), offset)
    return ends
