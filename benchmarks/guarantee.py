"""What exactly-once costs: fills a second and commits with transactions and without."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks import fills
from tests.kafka.broker import ApacheKafka

TRANSACTIONS = ("on", "off")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Guaranteed:
    """One run: fills a second until the last is durable, and how long a commit takes."""

    per_s: float
    commits: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class GuaranteeResult:
    """Runs by the setting `transactions`."""

    fills: int
    runs: dict[str, list[Guaranteed]]


def measure(seed: int, count: int, accounts: int, *, runs: int, say: Say) -> GuaranteeResult:
    """Produce once, then let workers of both kinds read it all, `runs` times in turn.

    Raises ContenderFailedError where a final state differs from the reference's.
    """
    found: dict[str, list[Guaranteed]] = {setting: [] for setting in TRANSACTIONS}
    with ApacheKafka() as kafka:
        say(f"guarantee: producing {count:,} fills of {accounts:,} accounts")
        load = fills.produce(kafka.bootstrap, seed, count, accounts)
        for number in range(runs):
            for setting, several in found.items():
                several.append(_run(load, f"guarantee-{setting}-{number}", setting))
                one = several[-1]
                say(
                    f"guarantee: transactions {setting}: {one.per_s:,.0f}/s, "
                    f"commits p50 {one.p50_ms:.0f} ms, p99 {one.p99_ms:.0f} ms"
                )
    return GuaranteeResult(count, found)


def _run(load: fills.Load, app: str, transactions: str) -> Guaranteed:
    timing, commits = fills.work(load, app, transactions)
    times = np.array(commits)
    times = times[times[:, 0] >= timing.first_s]  # before are those that open the journals
    took_ms = (times[:, 1] - times[:, 0]) * 1_000
    p50, p99 = np.percentile(took_ms, (50, 99)).tolist()
    return Guaranteed(timing.per_s, len(times), p50, p99)
