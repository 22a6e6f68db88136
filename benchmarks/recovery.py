"""How long a worker needs to bring a book back from its changelog, beside plainly reading it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks import contender, full_book
from benchmarks.contender import ContenderFailedError
from tests.kafka.broker import ApacheKafka

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Recovered:
    """One run: the changelog, the seconds to read it plainly and to recover, peak resident set."""

    records: int
    bytes: int
    plain_s: float
    recovery_s: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class RecoveryResult:
    """Runs of a worker that had nothing, and of one that had followed the changelog."""

    accounts: int
    cold: list[Recovered]
    warm: list[Recovered]


def measure(seed: int, sizes: Sequence[int], *, runs: int, say: Say) -> list[RecoveryResult]:
    """Write the changelog of each number of accounts once; recover from it `runs` times.

    Raises ContenderFailedError where a recovered book is not the one that was written.
    """
    results = []
    with ApacheKafka() as kafka:
        for accounts in sizes:
            say(f"recovery: writing the changelog of {accounts:,} accounts")
            app = f"recovery-{accounts}"
            written = full_book.write(kafka.bootstrap, app, accounts, seed)
            result = RecoveryResult(accounts, [], [])
            for _ in range(runs):
                for warm, found in ((False, result.cold), (True, result.warm)):
                    found.append(recovered(kafka.bootstrap, app, written, warm=warm))
                    kind = "warm" if warm else "cold"
                    say(
                        f"recovery: {kind} {found[-1].recovery_s:.1f} s, "
                        f"plain read {found[-1].plain_s:.1f} s"
                    )
            results.append(result)
    return results


def recovered(bootstrap: str, app: str, written: int, *, warm: bool) -> Recovered:
    """One run, in a process of its own; ContenderFailedError where its book is not `written`."""
    settings = {"bootstrap": bootstrap, "app": app, "warm": warm}
    result = contender.result_of("benchmarks.recovering", settings)
    found = result.pop("fingerprint")
    if found != written:
        raise ContenderFailedError(f"{app}: the book is {found:016x}, expected {written:016x}")
    return Recovered(**result)
