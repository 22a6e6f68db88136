"""What the engine published: records of its topics, with ids given once and in order."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from schemas.dead_letter import RefusedRecord
from schemas.record_codec import decode
from schemas.topics import BY_NAME
from streams.audit.findings import Findings
from streams.audit.reading import Log, Place

ID = "plimsoll-id"
APPLIED = "plimsoll-applied"
GIVEN_ONCE = ("margin-calls", "liquidations", "transfers", "insurance-fund", "dead-letters")
OF_FUNDS = frozenset({"AUCTION", "DELEVERAGE"})
"""Actions on `liquidations` by which a fund tells what it sheds."""
NUMBERED = {"margin-calls": "call_id", "liquidations": "liquidation_id"}


class Output(NamedTuple):
    """A record of an output topic, with where it is."""

    place: Place
    offset: int
    record: Mapping[str, Any]
    headers: Mapping[str, bytes]


def outputs(log: Log, topic: str, findings: Findings) -> Iterator[Output]:
    """The records of an output topic, each partition in order; unreadable ones are unjustified."""
    for place, entries in sorted(log.items(), key=lambda one: one[0]):
        for entry in entries if place[0] == topic else ():
            try:
                _, record = decode(entry.value, BY_NAME[topic].record)
            except RefusedRecord as refusal:
                where = f"{place[0]}-{place[1]} offset {entry.offset}"
                findings.unjustified.append(f"{where} is not readable: {refusal.message}")
                continue
            yield Output(place, entry.offset, record, entry.headers)


def offsets_applied(headers: Mapping[str, bytes]) -> dict[str, int]:
    """Topic -> next offset at the decision, by its header."""
    return offsets_of(headers[APPLIED].decode())


def offsets_of(text: str) -> dict[str, int]:
    """Topic -> next offset, of a text such as fills=120,collateral=45; ValueError for another."""
    ends = {}
    for part in filter(None, text.split(",")):
        topic, _, offset = part.partition("=")
        if topic not in BY_NAME or not offset.isdigit():
            raise ValueError(f"{APPLIED} {part!r} is not topic=offset")
        ends[topic] = int(offset)
    return ends


def check_ids(log: Log, findings: Findings) -> None:
    """Every id is given once; a topic that carries none in its headers has none to give."""
    for topic in GIVEN_ONCE:
        counts: Counter[bytes] = Counter()
        for place, entries in log.items():
            if place[0] == topic:
                counts.update(entry.headers[ID] for entry in entries if ID in entry.headers)
        findings.duplicate_ids.extend(
            f"{topic}: {identity.decode(errors='replace')} is given {times} times"
            for identity, times in counts.items()
            if times > 1
        )


def check_numbers(found: list[Output], findings: Findings) -> None:
    """Of a bucket, episodes never go back and the numbers within one ascend, topic by topic."""
    last: dict[tuple[str, str, str], tuple[int, int, str]] = {}
    for topic, _, record, _ in ((one.place[0], *one[1:]) for one in found):
        identity = record[NUMBERED[topic]]
        bucket = f"{record['account_id']}/{record['bucket']}"
        number = identity.rsplit("/", 1)[-1]
        walk = f"{bucket}/{record['episode']}"
        if record.get("action") in OF_FUNDS:
            walk = record["account_id"]  # what a fund sheds is no episode
        if identity != f"{walk}/{number}" or not number.isdigit():
            findings.duplicate_ids.append(f"{topic}: {identity} is not of its own bucket")
            continue
        key = (topic, record["account_id"], record["bucket"])
        here = (record["episode"], int(number), identity)
        if key in last and here[:2] <= last[key][:2]:
            findings.duplicate_ids.append(f"{topic}: {identity} comes after {last[key][2]}")
        last[key] = max(here, last.get(key, here))
