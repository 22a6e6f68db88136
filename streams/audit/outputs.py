"""What the engine published: ids given once and in order, and transfers whose legs add up."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from schemas.dead_letter import RefusedRecord
from schemas.record_codec import decode
from schemas.topics import BY_NAME
from schemas.units import text
from streams.audit.findings import Findings
from streams.audit.partition import Partition
from streams.audit.reading import Log, Place

ID = "plimsoll-id"
APPLIED = "plimsoll-applied"
GIVEN_ONCE = ("margin-calls", "liquidations", "transfers", "insurance-fund", "dead-letters")
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
    """Topic -> next offset at the decision, from a header such as fills=120,collateral=45."""
    ends = {}
    for part in filter(None, headers[APPLIED].decode().split(",")):
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
    last: dict[tuple[str, str, str], tuple[int, int]] = {}
    for topic, _, record, _ in ((one.place[0], *one[1:]) for one in found):
        identity = record[NUMBERED[topic]]
        bucket = f"{record['account_id']}/{record['bucket']}"
        number = identity.rsplit("/", 1)[-1]
        if identity != f"{bucket}/{record['episode']}/{number}" or not number.isdigit():
            findings.duplicate_ids.append(f"{topic}: {identity} is not of its own bucket")
            continue
        key, here = (
            (topic, record["account_id"], record["bucket"]),
            (record["episode"], int(number)),
        )
        if key in last and here <= last[key]:
            episode, step = last[key]
            findings.duplicate_ids.append(
                f"{topic}: {identity} comes after {bucket}/{episode}/{step}"
            )
        last[key] = max(here, last.get(key, here))


def check_legs(parts: list[Partition], findings: Findings) -> None:
    """The legs of a transfer are all there, each once, and move nothing in or out."""
    transfers: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for part in parts:
        for step in part.free:
            if step.topic == "transfers":
                transfers[step.record["transfer_id"]].append(step.record)
    for identity, legs in sorted(transfers.items()):
        stated = max(leg["legs"] for leg in legs)
        numbers = sorted(leg["leg"] for leg in legs)
        if numbers != list(range(stated)):
            missing = sorted(set(range(stated)) - set(numbers))
            what = f"leg {missing[0]} is missing" if missing else f"its legs are {numbers}"
            findings.unbalanced.append(f"transfer {identity} of {stated} legs: {what}")
        sums: Counter[str] = Counter()
        for leg in legs:
            if leg["asset"] is not None:
                sums[leg["asset"]] += leg["amount_e8"]
            if leg["instrument_id"] is not None:
                sums[f"quantity of {leg['instrument_id']}"] += leg["quantity_e8"]
                sums[f"cost of {leg['instrument_id']}"] += leg["cost_e8"]
        findings.unbalanced.extend(
            f"transfer {identity}: its legs leave {text(e8)} of {what}"
            for what, e8 in sorted(sums.items())
            if e8
        )
