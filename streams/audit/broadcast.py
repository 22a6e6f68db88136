"""From the broadcast topics to the rulebook; what breaks a rule has its letter and stays out."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from math import nan

from schemas.dead_letter import DeadLetterReason as Reason
from streams.audit.judging import Judge, record_id
from streams.audit.letters import Letters
from streams.audit.reading import Log
from streams.audit.rulebook import Record, Rulebook, Tick


def read_rules(log: Log, letters: Letters, stale_us: int) -> Rulebook:
    """All rules, prices and payments of a log; a source is live for `stale_us`."""
    rules = Rulebook()
    judge = Judge(rules, 0, 1)
    for record, timestamp_ms in _good(log, "instruments", judge, letters):
        rules.take_instrument(record, timestamp_ms)
    for record, timestamp_ms in _good(log, "assets", judge, letters):
        rules.take_asset(record, timestamp_ms)
    for record, _ in _good(log, "risk-params", judge, letters):
        rules.take_params(record)
    for record, _ in _good(log, "accounts", judge, letters):
        if record["mode"] == "PORTFOLIO":
            rules.portfolios.add(record["account_id"])
    for _ in _good(log, "deleveraging", judge, letters):
        pass  # what funds ask and are answered is no rule: that it is right, or has its letter
    rules.payments = {
        source: record for source, record, _ in _placed(log, "funding", judge, letters)
    }
    prices = (one for one, _ in _good(log, "prices", judge, letters))
    rules.take_ticks(_ticks(prices, rules, stale_us))
    return rules


def _ticks(prices: Iterable[Record], rules: Rulebook, stale_us: int) -> Iterator[tuple[str, Tick]]:
    """Instrument and tick of each price that is newer than its source's last."""
    told: dict[str, dict[str, Record]] = defaultdict(dict)
    for price in prices:
        name, sources = price["instrument_id"], told[price["instrument_id"]]
        last = sources.get(price["source"])
        if last is not None and price["sequence"] <= last["sequence"]:
            continue
        sources[price["source"]] = price
        since_us = price["event_time"] - stale_us
        live = [one for one in sources.values() if one["event_time"] >= since_us]
        indices = sorted(max(one["index_e8"], 0) or one["mark_e8"] for one in live)
        middle = len(indices) // 2
        median_e8 = (indices[middle] + indices[~middle]) // 2
        index_e8 = price["index_e8"] if len(live) == 1 else median_e8
        bid_e8, ask_e8 = price["bid_e8"], price["ask_e8"]
        quoted = bid_e8 and ask_e8 and rules.listings[name][-1]["kind"] != "OPTION"
        spread_e8 = abs(ask_e8 - bid_e8) if quoted else 0
        implied = price["implied_volatility"]
        volatility = nan if implied is None else implied
        yield name, Tick(price["event_time"], price["mark_e8"], index_e8, spread_e8, volatility)


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
