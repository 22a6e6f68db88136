"""Memory of a worker by the number of its accounts, and how soon it is ready with them."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import crowd_book
from benchmarks.contender import ContenderFailedError, resident
from benchmarks.crowd import HELD, crowd, listed
from benchmarks.full_book import PARTITIONS
from benchmarks.live_worker import live_worker
from benchmarks.ticker import Ticker
from streams.run.broker import EmbeddedBroker

TICKS_PER_S = 200.0
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Holding:
    """A worker with so many accounts: seconds from its start until it was ready, bytes of its
    resident set at the peak and at the end of steady ticking, digest of its book."""

    accounts: int
    ready_s: float
    peak_bytes: int
    steady_bytes: int
    digest: str

    @property
    def positions(self) -> int:
        return self.accounts * HELD


def measure(seed: int, sizes: Sequence[int], *, tick_s: float, say: Say) -> list[Holding]:
    """A worker for each number of accounts reads them from its changelog, then prices tick.

    The ticks go on for longer than a worker keeps what it has freed.
    Raises ContenderFailedError where the book at its end is not the one that was written.
    """
    return [_measured(seed, accounts, tick_s, say) for accounts in sizes]


def slope_bytes(found: Sequence[Holding]) -> float:
    """Steady bytes an account, from the fewest accounts to the most."""
    least, most = found[0], found[-1]
    return (most.steady_bytes - least.steady_bytes) / (most.accounts - least.accounts)


def _measured(seed: int, accounts: int, tick_s: float, say: Say) -> Holding:
    say(f"memory: writing the changelog of {accounts:,} accounts with {HELD} positions each")
    people = crowd(seed, accounts, breaking=0)
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        digest = crowd_book.write(broker.bootstrap, people, PARTITIONS, digest=True)
        began_s = time.monotonic()
        app = ("--app", crowd_book.APP)
        with live_worker(broker.bootstrap, PARTITIONS, Path(folder), *app) as worker:
            worker.await_ready()
            ready_s = time.monotonic() - began_s
            Ticker(broker.bootstrap, listings=listed()).run(tick_s, TICKS_PER_S, lambda _: 0.0)
            peak, steady = resident(worker.pid)
            final = worker.end()
    if final["digest"] != digest:
        raise ContenderFailedError(f"the book is {final['digest']}, expected {digest}")
    say(f"memory: ready in {ready_s:.1f} s, {steady / 2**20:,.0f} MiB")
    return Holding(accounts, ready_s, peak, steady, digest)
