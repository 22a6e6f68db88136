"""From a price handed to a producer to the liquidation that it causes, received by a consumer."""

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contender import ContenderFailedError
from benchmarks.desk import Desk
from benchmarks.ears import ORDERS, Ears
from benchmarks.live_worker import WATCHED_PARTITIONS, live_worker
from benchmarks.loader import Loader
from benchmarks.reference import ReferenceBook
from benchmarks.ticker import Ticker
from benchmarks.workload import OPENED_US, TIERS, USDT, account_name, holdings, opening
from schemas.units import PPM
from streams.market.events import Cashier, Event
from streams.run.broker import EmbeddedBroker
from streams.run.topics import ensure_topics

LEAST, MOST = 3, 12
"""Positions an account."""
END_DROP = 0.02
FIRST_BREAK = 0.0025
"""The drop at which the first account breaks."""
CLEARANCE = 0.0002
"""No account breaks this close to the end of the fall: rounding decides nothing."""
MAINTENANCE = TIERS[0][2] / PPM
LISTEN_S = 20.0

Say = Callable[[str], None]
Hear = Callable[[list[dict[str, Any]]], None]


@dataclass(frozen=True, slots=True)
class Shape:
    """The prices: how often one ticks, for how long they are calm, fall, and hold.

    They hold so that the last breaches are confirmed: a decision needs a new price. `depth_usd`
    is what the prices say rests on each side of a book; 0: nothing, and orders are not paced.
    """

    ticks_per_s: float = 200.0
    calm_s: float = 3.0
    fall_s: float = 25.0
    hold_s: float = 4.0
    depth_usd: int = 0


@dataclass(frozen=True, slots=True)
class LatencyRun:
    """Milliseconds over the first orders of one run; `liquidated` accounts got `orders` of them."""

    accounts: int
    positions: int
    ticks_per_s: float
    liquidated: int
    orders: int
    p50_ms: float
    p99_ms: float
    max_ms: float


def measure(
    seed: int, accounts: int, share: float, *, shape: Shape, say: Say, hear: Hear | None = None
) -> LatencyRun:
    """One run on a broker of its own: calm prices, then a fall in which accounts break steadily.

    `share` (0..1] of the accounts breaks before its end. `hear` is told every REDUCE.
    Raises ContenderFailedError where the accounts liquidated are not exactly those that break.
    """
    say(f"latency: {accounts:,} accounts, {share:.0%} break in {shape.fall_s:g} s")
    with EmbeddedBroker() as broker, tempfile.TemporaryDirectory() as folder:
        ensure_topics(broker.bootstrap, WATCHED_PARTITIONS)
        breaks, counts, positions = _produce(broker.bootstrap, seed, accounts, share)
        with live_worker(broker.bootstrap, WATCHED_PARTITIONS, Path(folder)) as worker:
            worker.await_fills(counts)
            desk = Desk(broker.bootstrap)
            ticker = Ticker(broker.bootstrap, depth_usd=shape.depth_usd)
            ears = Ears(broker.bootstrap, _both(hear, desk.fill))
            seconds = shape.calm_s + shape.fall_s + shape.hold_s
            expected = {name for name, drop in breaks.items() if drop < END_DROP}
            with ThreadPoolExecutor(1, "ticker") as pool:
                ticking = pool.submit(ticker.run, seconds, shape.ticks_per_s, _drop_at(shape))
                _listen(ears, ticking, expected)
                ticking.result()
            ears.close()
            desk.flush()
            _refuse_dead_letters(worker.end())
    _check(ears, expected)
    return _result(ears, ticker, (accounts, positions))


def _both(hear: Hear | None, answer: Hear) -> Hear:
    def one_after_the_other(orders: list[dict[str, Any]]) -> None:
        if hear is not None:
            hear(orders)
        answer(orders)

    return one_after_the_other


def _produce(
    bootstrap: str, seed: int, accounts: int, share: float
) -> tuple[dict[str, float], dict[int, int], int]:
    """Open positions, and the collateral with which each account breaks at the drop given to it.

    Returns these drops by account, fills by partition, and the number of positions.
    """
    loader, book = Loader(bootstrap), ReferenceBook()
    loader.send(opening())
    fills = list(holdings(seed, accounts, least=LEAST, most=MOST))
    for event in fills:
        book.fill(event.record)
    breaks = _breaks(seed, accounts, share)
    loader.send(_collateral(book, breaks))
    loader.flush()
    loader.send(fills)
    loader.flush()
    return breaks, loader.of("fills"), book.open_positions()


def _breaks(seed: int, accounts: int, share: float) -> dict[str, float]:
    last = FIRST_BREAK + (END_DROP - FIRST_BREAK) / share
    drops = np.random.default_rng(seed).uniform(FIRST_BREAK, last, accounts)
    near = np.abs(drops - END_DROP) < CLEARANCE
    drops[near] = END_DROP + CLEARANCE
    return {account_name(number): drop for number, drop in enumerate(drops.tolist())}


def _collateral(book: ReferenceBook, breaks: dict[str, float]) -> Iterator[Event]:
    """Equity after a drop d is collateral - d x net; maintenance (1 - d) x rate x gross."""
    net: dict[str, int] = dict.fromkeys(breaks, 0)
    gross: dict[str, int] = dict.fromkeys(breaks, 0)
    for (account, _), (_, cost) in book.positions.items():
        net[account] += cost
        gross[account] += abs(cost)
    cashier = Cashier()
    for number, (account, drop) in enumerate(breaks.items()):
        need = drop * net[account] + (1 - drop) * MAINTENANCE * gross[account]
        amount_e8 = round(need) + book.fees_e8[account]
        yield cashier.deposit(OPENED_US + number, account, USDT, amount_e8)


def _drop_at(shape: Shape) -> Callable[[float], float]:
    return lambda second: END_DROP * min(max((second - shape.calm_s) / shape.fall_s, 0.0), 1.0)


def _listen(ears: Ears, ticking: Future[None], accounts: set[str]) -> None:
    """Until the ticks are sent and every account of `accounts` was heard of, or too late."""
    deadline = float("inf")
    while time.monotonic() < deadline:
        ears.listen(0.02)
        if not ticking.done():
            continue
        if all(accounts <= ears.accounts(action) for action in ORDERS):
            return
        deadline = min(deadline, time.monotonic() + LISTEN_S)


def _check(ears: Ears, expected: set[str]) -> None:
    for action in ORDERS:
        found = ears.accounts(action)
        if found != expected:
            raise ContenderFailedError(
                f"{action}: {len(found - expected)} accounts that did not break, "
                f"{len(expected - found)} of {len(expected)} missing"
            )


def _refuse_dead_letters(final: dict[str, Any]) -> None:
    if final["dead_letters"]:
        raise ContenderFailedError(f"dead letters: {final['dead_letters']}")


def _result(ears: Ears, ticker: Ticker, held: tuple[int, int]) -> LatencyRun:
    firsts = list(ears.firsts.values())
    ms = np.sort([(one.received_s - ticker.sent_s(one.source)) * 1_000 for one in firsts])
    return LatencyRun(
        accounts=held[0],
        positions=held[1],
        ticks_per_s=ticker.per_s,
        liquidated=len(ears.accounts("REDUCE")),
        orders=len(firsts),
        p50_ms=float(np.quantile(ms, 0.5, method="higher")),
        p99_ms=float(np.quantile(ms, 0.99, method="higher")),
        max_ms=float(ms[-1]),
    )
