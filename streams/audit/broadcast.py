"""From the broadcast topics to the rulebook; what breaks a rule has its letter and stays out."""

from collections.abc import Iterator

from schemas.dead_letter import DeadLetterReason as Reason
from streams.audit.judging import Judge, record_id
from streams.audit.letters import Letters
from streams.audit.reading import Log
from streams.audit.rulebook import Record, Rulebook, Tick


def read_rules(log: Log, letters: Letters) -> Rulebook:
    """All rules, prices and payments of a log."""
    rules = Rulebook()
    judge = Judge(rules, 0, 1)
    for record, timestamp_ms in _good(log, "instruments", judge, letters):
        rules.take_instrument(record, timestamp_ms)
    for record, timestamp_ms in _good(log, "assets", judge, letters):
        rules.take_asset(record, timestamp_ms)
    for record, _ in _good(log, "risk-params", judge, letters):
        rules.take_params(record)
    for _ in _good(log, "accounts", judge, letters):
        pass  # nothing is booked of them, but their letters are looked at
    rules.payments = {
        source: record for source, record, _ in _placed(log, "funding", judge, letters)
    }
    rules.take_ticks(
        (one["instrument_id"], Tick(one["event_time"], one["mark_e8"], one["index_e8"]))
        for one, _ in _good(log, "prices", judge, letters)
    )
    return rules


def _good(log: Log, topic: str, judge: Judge, letters: Letters) -> Iterator[tuple[Record, int]]:
    return ((record, written_ms) for _, record, written_ms in _placed(log, topic, judge, letters))


def _placed(
    log: Log, topic: str, judge: Judge, letters: Letters
) -> Iterator[tuple[tuple[int, int], Record, int]]:
    """Partition and offset, record, and when it was written."""
    seen: set[str] = set()
    for place, entries in sorted(log.items(), key=lambda one: one[0]):
        for entry in entries if place[0] == topic else ():
            verdict = judge.judge(topic, entry)
            identity = record_id(topic, verdict.record) if verdict.record else None
            also = [Reason.DUPLICATE_ID] if identity in seen else []
            if letters.applied(place, entry, verdict, also):
                assert verdict.record is not None
                if identity is not None:
                    seen.add(identity)
                yield (place[1], entry.offset), verdict.record, entry.timestamp_ms
