"""Who competes with the worker: how each is started, what it reads, where its state is."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.peers import changelogs, installed

JAVA = ("-Xms256m", "-Xmx1g")
SLOW_SHARE = 8
"""Of the fills, the first of how many those read who would need half a minute for all."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A contender that is not ours and not plain Faust."""

    name: str
    command: Callable[[bool], list[str]]
    """Whether to fetch what is not installed -> the command; NotInstalledError."""
    changelog: str
    """Its topic, with places for the application and for the topic that it reads."""
    parse: changelogs.Parse
    exactly_once: bool = False
    makes_changelog: bool = True
    """False: the topic must be there before."""
    share: int = 1
    """It reads the first of so many fills."""


def _of_the_venv(module: str) -> Callable[[bool], list[str]]:
    return lambda fetch: [installed.python(fetch=fetch), "-m", module]


def _loop(_fetch: bool) -> list[str]:
    return [sys.executable, "-m", "benchmarks.peers.confluent_loop"]


def _java(fetch: bool) -> list[str]:
    return ["java", *JAVA, "-cp", installed.classpath(fetch=fetch), "FillsBook"]


_quix = _of_the_venv("benchmarks.peers.quix")
_bytewax = _of_the_venv("benchmarks.peers.bytewax_flow")
_OF_QUIX = "changelog__{app}--{topic}--default"

PEERS = (
    Peer(
        "confluent-kafka loop, exactly once", _loop, "{app}-book", changelogs.packed,
        exactly_once=True, makes_changelog=False,
    ),
    Peer(
        "confluent-kafka loop, at least once", _loop, "{app}-book", changelogs.packed,
        makes_changelog=False,
    ),
    Peer(
        "Kafka Streams, exactly once", _java, "{app}-positions-changelog", changelogs.packed,
        exactly_once=True,
    ),
    Peer(
        "Quix Streams, exactly once", _quix, _OF_QUIX, changelogs.of_quix,
        exactly_once=True, share=SLOW_SHARE,
    ),
    Peer("Quix Streams, at least once", _quix, _OF_QUIX, changelogs.of_quix, share=SLOW_SHARE),
    Peer(
        "Bytewax, at least once", _bytewax, "{app}-book", changelogs.packed,
        makes_changelog=False, share=SLOW_SHARE,
    ),
)  # fmt: skip
