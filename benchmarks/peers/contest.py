"""The contenders side by side: the same job on the same topics of one broker, in one run."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import contender, fills
from benchmarks.contender import SESSION_TIMEOUT_S, ContenderFailedError, Timing
from benchmarks.fills import FAUST_SHARE, Load, merged
from benchmarks.peers import changelogs
from benchmarks.peers.contenders import PEERS, SLOW_SHARE, Peer
from benchmarks.peers.installed import NotInstalledError
from benchmarks.workload import listed
from streams.run.broker import EmbeddedBroker
from tests.kafka.broker import ApacheKafka

OURS = "Plimsoll, exactly once"
OURS_PLAIN = "Plimsoll, at least once"
FAUST = "plain Faust, table"
KAFKA = "Apache Kafka"
BROKERS = {KAFKA: ApacheKafka, "embedded broker": EmbeddedBroker}
SHARES = (1, SLOW_SHARE, FAUST_SHARE)
AVSC = Path(__file__).parents[2] / "schemas" / "avro" / "fill.avsc"
COMPACTED = {"cleanup.policy": "compact"}
STREAM_THREADS = 1
"""Of Kafka Streams: its default."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Contest:
    """On one broker: timings by contender, one a run, and why some have none."""

    broker: str
    accounts: int
    timings: dict[str, list[Timing]]
    absent: dict[str, str]
    digest: str


def measure(
    seed: int, count: int, accounts: int, *, broker: str, runs: int, fetch: bool, say: Say
) -> Contest:
    """Produce once, then let each contender read it in turn, `runs` times.

    One whose parts cannot be had, or are not here and not to be fetched, is left out and named.
    Raises ContenderFailedError where a final state differs from the reference's.
    """
    commands, absent = _commands(fetch)
    contest = Contest(broker, accounts, {}, absent, "")
    with BROKERS[broker]() as server:
        say(f"peers: producing {count:,} fills of {accounts:,} accounts, {broker}")
        load = fills.produce(server.bootstrap, seed, count, accounts, shares=SHARES)
        fills.work(load, "contest-first")  # so that nobody pays for the broker's start
        for number in range(runs):
            for name, run in _runs(load, commands).items():
                timing = run(f"contest-{number}")
                contest.timings.setdefault(name, []).append(timing)
                say(
                    f"peers: {name}: {timing.per_s:,.0f}/s, "
                    f"{timing.cpu_s_a_million:,.1f} CPU s a million fills"
                )
    return Contest(broker, accounts, contest.timings, absent, load.digest)


def _commands(fetch: bool) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The command of each peer, or why there is none."""
    commands, absent = dict[str, list[str]](), dict[str, str]()
    for peer in PEERS:
        try:
            commands[peer.name] = peer.command(fetch)
        except NotInstalledError as error:
            absent[peer.name] = str(error)
    return commands, absent


def _runs(load: Load, commands: dict[str, list[str]]) -> dict[str, Callable[[str], Timing]]:
    def of(number: int, peer: Peer) -> Callable[[str], Timing]:
        return lambda app: compete(load, peer, commands[peer.name], f"{app}-{number}")

    return {
        OURS: lambda app: fills.work(load, f"{app}-on", "on")[0],
        OURS_PLAIN: lambda app: fills.work(load, f"{app}-off", "off")[0],
        **{peer.name: of(n, peer) for n, peer in enumerate(PEERS) if peer.name in commands},
        FAUST: lambda app: fills.plain(load, f"{app}-faust", table=True),
    }


def compete(load: Load, peer: Peer, command: list[str], app: str) -> Timing:
    """A contender reads its part; ContenderFailedError where its changelog has a wrong state."""
    part = load.parts[peer.share]
    changelog = peer.changelog.format(app=app, topic=part.topic)
    if not peer.makes_changelog:
        fills.create(load.bootstrap, load.partitions, [changelog], COMPACTED)
    settings: dict[str, Any] = {
        "bootstrap": load.bootstrap,
        "app": app,
        "topic": part.topic,
        "fills": part.fills,
        "changelog": changelog,
        "instruments": [listing.instrument_id for listing in listed()],
        "exactly_once": peer.exactly_once,
        "session_ms": SESSION_TIMEOUT_S * 1_000,
        "threads": STREAM_THREADS,
        "avsc": str(AVSC),
    }
    timing, _ = contender.timed(command, settings)
    found = merged(changelogs.folded(load.bootstrap, changelog, peer.parse))
    if timing.fills != part.fills or found != part.state:
        raise ContenderFailedError(
            f"{peer.name}: {timing.fills:,} of {part.fills:,} fills, "
            f"{_difference(found, part.state)}"
        )
    return timing


def _difference(found: dict[str, Any], expected: dict[str, Any]) -> str:
    """The first entries that are not alike, in words."""
    places = [
        f"{kind} of {place}: {found[kind].get(place)}, expected {expected[kind].get(place)}"
        for kind in expected
        for place in sorted(found[kind].keys() | expected[kind].keys())
        if found[kind].get(place) != expected[kind].get(place)
    ]
    return f"{len(places):,} entries differ, as {'; '.join(places[:3])}"
