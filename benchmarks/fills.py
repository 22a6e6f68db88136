"""Fills a second, end to end, of the worker and of plain Faust; wrong final states do not count."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks import contender
from benchmarks.contender import ContenderFailedError, Timing
from benchmarks.loader import Loader
from benchmarks.reference import ReferenceBook
from benchmarks.workload import deposits, opening, trades
from streams.run.broker import EmbeddedBroker
from streams.run.topics import ensure_topics
from streams.state.ledger import partition_of

PARTITIONS = 8
DEPOSIT_USD = 1_000_000
SLICE = "fills-slice"
"""The first fills again, on a topic of their own: what plain Faust reads."""

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
class Load:
    """What is on the topics of a broker: records by partition, and what they add up to."""

    bootstrap: str
    ends: dict[str, int]
    """Records of deposits and fills, by "topic-partition"."""
    fills: int
    slice_counts: dict[int, int]
    digest: str
    slice_state: dict[str, Any]


def measure(seed: int, fills: int, accounts: int, *, runs: int, say: Say) -> FillsResult:
    """Produce once, then let each contender read it all, `runs` times in turn.

    Raises ContenderFailedError where a final state differs from the reference's.
    """
    ours: list[Timing] = []
    plain: dict[bool, list[Timing]] = {True: [], False: []}
    with EmbeddedBroker() as broker:
        say(f"fills: producing {fills:,} fills of {accounts:,} accounts")
        load = produce(broker.bootstrap, seed, fills, accounts)
        for number in range(runs):
            ours.append(work(load, f"bench-{number}")[0])
            say(f"fills: worker {ours[-1].per_s:,.0f}/s")
            for table, timings in plain.items():
                timings.append(_plain(load, number, table=table))
                kind = "table" if table else "dict"
                say(f"fills: plain Faust, {kind}: {timings[-1].per_s:,.0f}/s")
    return FillsResult(ours, plain[True], plain[False], accounts, load.digest)


def slice_of(fills: int) -> int:
    """How many of the fills plain Faust gets: it would need minutes for all of them."""
    return max(fills // 40, min(fills, 2_000)) // 2 * 2


def produce(bootstrap: str, seed: int, fills: int, accounts: int) -> Load:
    """Put the listing, deposits and fills on the topics."""
    ensure_topics(bootstrap, PARTITIONS)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(SLICE, PARTITIONS, 1)])[SLICE].result(30)
    loader, book, slice_book = Loader(bootstrap), ReferenceBook(), ReferenceBook()
    loader.send(opening())
    for event in deposits(accounts, DEPOSIT_USD):
        book.deposit(event.record)
        loader.send([event])
    loader.flush()
    stream = trades(seed, accounts, fills)
    for event in islice(stream, slice_of(fills)):
        book.fill(event.record)
        slice_book.fill(event.record)
        loader.send([event], SLICE)
    for event in stream:
        book.fill(event.record)
        loader.send([event])
    loader.flush()
    digest = book.digest(lambda account: partition_of(account, PARTITIONS))
    ends = {
        f"{topic}-{number}": count
        for topic in ("collateral", "fills")
        for number, count in loader.of(topic).items()
    }
    return Load(bootstrap, ends, fills, loader.of(SLICE), digest, slice_book.state())


def work(load: Load, app: str, transactions: str = "on") -> tuple[Timing, list[list[float]]]:
    """A worker reads it all: its timing, and begin and end of its commits, monotonic seconds.

    Raises ContenderFailedError where its final state differs from the reference's.
    """
    ensure_topics(load.bootstrap, PARTITIONS, app=app)
    settings = {
        "bootstrap": load.bootstrap,
        "app": app,
        "partitions": PARTITIONS,
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


def _plain(load: Load, number: int, *, table: bool) -> Timing:
    settings = {
        "bootstrap": load.bootstrap,
        "app": f"plain-{'table' if table else 'dict'}-{number}",
        "topic": SLICE,
        "counts": load.slice_counts,
        "table": table,
    }
    timing, result = contender.run("benchmarks.plain_faust", settings)
    if result["state"] != load.slice_state:
        raise ContenderFailedError(f"the state of plain Faust is wrong ({settings['app']})")
    return timing
