"""The model of a cluster: what measured costs of one worker come to with more of everything."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.page import Grid

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Cluster:
    """What a cluster must bear, and how: rates a second, copies of each partition, cores used."""

    accounts: int
    fills_per_s: float
    ticks_per_s: float
    partitions: int
    workers: int
    turns_per_s: float = 20.0
    full_per_s: float = 0.02
    """How often all accounts are valued anew: once for every few per cent that prices move."""
    replication: int = 3
    brokers: int = 3


EXAMPLE = Cluster(10_000_000, 500_000.0, 5_000.0, partitions=64, workers=16)


def cores_of_a_worker(of: Cluster, costs: Mapping[str, float]) -> dict[str, float]:
    """Cores that one worker uses, by what for; `costs` are the figures of `scaling`."""
    share = 1 / of.workers
    accounts = of.accounts * share / 1e6
    transactions = of.turns_per_s * of.partitions * share
    return {
        "fills": of.fills_per_s * share / 1e6 * costs["cpu_s_a_million_fills"],
        "transactions": transactions * costs["cpu_s_a_transaction"],
        "prices": of.ticks_per_s / 1e6 * costs["cpu_s_a_million_ticks"],
        "decisions": of.turns_per_s * accounts * costs["cpu_s_a_million_accounts_moved"],
        "valuing all": of.full_per_s * accounts * costs["cpu_s_a_million_accounts"],
    }


def grid(of: Cluster, costs: Mapping[str, float]) -> Grid:
    """The model as a table."""
    cores = cores_of_a_worker(of, costs)
    into = of.fills_per_s * costs["bytes_a_fill"]
    changelog = of.fills_per_s * costs["changelog_bytes_a_fill"]
    prices = of.ticks_per_s * costs["bytes_a_tick"]
    broker = of.fills_per_s * of.replication / of.brokers / 1e6
    rows = [(f"worker, {what}", f"{used:.2f} cores") for what, used in cores.items()]
    rows += [
        ("worker, all of it", f"{sum(cores.values()):.2f} cores"),
        ("partitions a worker", f"{of.partitions / of.workers:,.0f}"),
        ("worker, network in", f"{(into / of.workers + prices) / MIB:,.1f} MiB/s"),
        ("worker, network out", f"{changelog / of.workers / MIB:,.1f} MiB/s"),
        ("broker, written", _rate((into + changelog + prices) * of.replication / of.brokers)),
        ("broker, sent to workers", _rate((into + prices * of.workers) / of.brokers)),
        ("broker, CPU", f"{broker * costs['broker_cpu_s_a_million_fills']:.2f} cores"),
    ]
    title = (
        f"A cluster by these figures: {of.accounts:,} accounts, {of.fills_per_s:,.0f} fills/s, "
        f"{of.ticks_per_s:,.0f} ticks/s, {of.workers} workers, {of.brokers} brokers, "
        f"{of.replication} copies"
    )
    return Grid(title, ("what", "load"), rows)


def _rate(bytes_per_s: float) -> str:
    return f"{bytes_per_s / MIB:,.1f} MiB/s"
