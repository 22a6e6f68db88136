"""Fills a second, end to end, of the worker and of plain Faust; wrong final states do not count."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks import contender
from benchmarks.contender import ContenderFailedError, Timing
from benchmarks.loader import Loader
from benchmarks.peers.changelogs import folded, of_faust
from benchmarks.reference import ReferenceBook
from benchmarks.workload import deposits, listed, opening, trades
from streams.run.broker import EmbeddedBroker
from streams.run.topics import ensure_topics
from streams.state.ledger import partition_of

PARTITIONS = 8
DEPOSIT_USD = 1_000_000
RETENTION = {"retention.ms": "-1"}
"""Named, because Quix Streams asks for it and the embedded broker tells only what was named."""
FAUST_SHARE = 40
"""Of the fills, the first of how many plain Faust reads: it would need minutes for all of them."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class FillsResult:
    """Timings by contender, one a run, and the digest of the worker's book."""

    ours: list[Timing]
    table: list[Timing]
    plain_dict: list[Timing]
    accounts: int
    digest: str


@dataclass(frozen=True, slots=True)
class Part:
    """The first of the fills, on a topic of their own or all of them, and what they add up to."""

    topic: str
    counts: dict[int, int]
    """Records by partition."""
    state: dict[str, Any]

    @property
    def fills(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Load:
    """What is on the topics of a broker: records by partition, and what they add up to."""

    bootstrap: str
    ends: dict[str, int]
    """Records of deposits and fills, by "topic-partition"."""
    fills: int
    partitions: int
    digest: str
    parts: dict[int, Part]
    """By share: the first of so many fills."""


def measure(seed: int, fills: int, accounts: int, *, runs: int, say: Say) -> FillsResult:
    """Produce once, then let each contender read it all, `runs` times in turn.

    Raises ContenderFailedError where a final state differs from the reference's.
    """
    ours: list[Timing] = []
    faust: dict[bool, list[Timing]] = {True: [], False: []}
    with EmbeddedBroker() as broker:
        say(f"fills: producing {fills:,} fills of {accounts:,} accounts")
        load = produce(broker.bootstrap, seed, fills, accounts)
        for number in range(runs):
            ours.append(work(load, f"bench-{number}")[0])
            say(f"fills: worker {ours[-1].per_s:,.0f}/s")
            for table, timings in faust.items():
                kind = "table" if table else "dict"
                timings.append(plain(load, f"plain-{kind}-{number}", table=table))
                say(f"fills: plain Faust, {kind}: {timings[-1].per_s:,.0f}/s")
    return FillsResult(ours, faust[True], faust[False], accounts, load.digest)


def produce(
    bootstrap: str,
    seed: int,
    fills: int,
    accounts: int,
    *,
    shares: tuple[int, ...] = (FAUST_SHARE,),
    partitions: int = PARTITIONS,
) -> Load:
    """Put the listing, deposits and fills on the topics, and each share of the fills on its own.

    A share has 2,000 fills where there are so many, and whole trades; a share of 1 is all fills.
    """
    ensure_topics(bootstrap, partitions)
    limits = {share: max(fills // share, min(fills, 2_000)) // 2 * 2 for share in shares}
    topics = {share: "fills" if share == 1 else f"fills-of-{share}" for share in shares}
    create(bootstrap, partitions, [topics[share] for share in shares if share != 1], RETENTION)
    loader, book = Loader(bootstrap), ReferenceBook()
    books = {share: ReferenceBook() for share in shares}
    loader.send(opening())
    for event in deposits(accounts, DEPOSIT_USD):
        book.deposit(event.record)
        loader.send([event])
    loader.flush()
    for number, event in enumerate(trades(seed, accounts, fills)):
        book.fill(event.record)
        among = [share for share in shares if number < limits[share]]
        for share in among:
            books[share].fill(event.record)
        loader.send([event], *(topics[share] for share in among if share != 1))
    loader.flush()
    digest = book.digest(lambda account: partition_of(account, partitions))
    ends = {
        f"{topic}-{number}": count
        for topic in ("collateral", "fills")
        for number, count in loader.of(topic).items()
    }
    parts = {
        share: Part(topics[share], loader.of(topics[share]), books[share].state())
        for share in shares
    }
    return Load(bootstrap, ends, fills, partitions, digest, parts)


def create(bootstrap: str, partitions: int, topics: list[str], config: dict[str, str]) -> None:
    """Make topics; each has as many partitions as the fills have, for the same keys."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    wanted = [NewTopic(topic, partitions, 1, config=config) for topic in topics]
    for made in (admin.create_topics(wanted) if wanted else {}).values():
        made.result(30)


def work(load: Load, app: str, transactions: str = "on") -> tuple[Timing, list[list[float]]]:
    """A worker reads it all: its timing, and begin and end of its commits, monotonic seconds.

    Raises ContenderFailedError where its final state differs from the reference's.
    """
    ensure_topics(load.bootstrap, load.partitions, app=app)
    settings = {
        "bootstrap": load.bootstrap,
        "app": app,
        "partitions": load.partitions,
        "ends": load.ends,
        "transactions": transactions,
    }
    timing, result = contender.run("benchmarks.timed_worker", settings)
    final = result["final"]
    if final["digest"] != load.digest or timing.fills != load.fills:
        raise ContenderFailedError(
            f"the worker's book is wrong: {timing.fills} fills applied, digest {final['digest']}, "
            f"expected {load.digest}; dead letters {final['dead_letters']}"
        )
    return timing, result["commits"]


def plain(load: Load, app: str, *, table: bool) -> Timing:
    """Plain Faust reads its share; ContenderFailedError where its changelog or dict is wrong."""
    part = load.parts[FAUST_SHARE]
    settings = {
        "bootstrap": load.bootstrap,
        "app": app,
        "topic": part.topic,
        "counts": part.counts,
        "instruments": [listing.instrument_id for listing in listed()],
        "table": table,
    }
    timing, result = contender.run("benchmarks.plain_faust", settings)
    changelog = f"{app}-positions-changelog"
    state = folded(load.bootstrap, changelog, of_faust) if table else result["state"]
    if merged(state) != part.state:
        raise ContenderFailedError(f"the state of plain Faust is wrong ({app})")
    return timing


def merged(state: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Of [quantity, cost, cash] by place: positions that are open, and cash summed by account."""
    cash_e8: dict[str, int] = defaultdict(int)
    for place, (_, _, cash) in state.items():
        cash_e8[place.split()[0]] += cash
    return {
        "positions": {place: list(held[:2]) for place, held in state.items() if any(held[:2])},
        "cash": {account: cash for account, cash in cash_e8.items() if cash},
    }
