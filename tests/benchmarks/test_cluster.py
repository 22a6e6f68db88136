"""The model of a cluster: what more workers share, and what each of them has to do."""

from dataclasses import replace

import pytest

from benchmarks.chart import drawn
from benchmarks.cluster import EXAMPLE, cores_of_a_worker, grid
from benchmarks.contender import Timing
from benchmarks.scaling import Alone, ScalingResult, Sizes, Together
from benchmarks.scaling_table import scaling_section
from benchmarks.turning import Turns

COSTS = {
    "cpu_s_a_million_fills": 8.0, "cpu_s_a_transaction": 0.001, "cpu_s_a_million_ticks": 20.0,
    "cpu_s_a_million_accounts_moved": 0.1, "cpu_s_a_million_accounts": 1.0,
    "bytes_a_fill": 100.0, "changelog_bytes_a_fill": 50.0, "bytes_a_tick": 50.0,
    "broker_cpu_s_a_million_fills": 5.0,
}  # fmt: skip


def test_twice_the_workers_have_half_of_everything_but_prices() -> None:
    few = cores_of_a_worker(EXAMPLE, COSTS)
    many = cores_of_a_worker(replace(EXAMPLE, workers=2 * EXAMPLE.workers), COSTS)
    for what, cores in few.items():
        assert many[what] == pytest.approx(cores if what == "prices" else cores / 2)
    assert few["fills"] == pytest.approx(500_000 / 16 / 1e6 * 8)


def test_a_broker_writes_each_copy_and_sends_prices_to_every_worker() -> None:
    told = dict(grid(EXAMPLE, COSTS).rows)
    megabyte = 2**20
    assert told["broker, written"] == f"{(500_000 * 150 + 5_000 * 50) / megabyte:,.1f} MiB/s"
    sent = (500_000 * 100 + 5_000 * 50 * 16) / 3
    assert told["broker, sent to workers"] == f"{sent / megabyte:,.1f} MiB/s"


def test_what_transactions_cost_is_what_more_partitions_cost() -> None:
    def alone(cpu_s: float, commits: int) -> list[Alone]:
        return [Alone(Timing(1_000_000, 0.0, 0.0, 10.0, cpu_s, 0), commits, 5.0, 100.0, 50.0)]

    result = ScalingResult(
        Sizes(1_000_000, 1_000), {1: [Together(1, 9.0, 1.0, 2.0)]}, {1_000: alone(9.0, 100)},
        {1: alone(8.5, 50), 64: alone(11.0, 2_550)}, Turns(1_000, 1.0, 0.1, 1e-5, 50.0),
    )  # fmt: skip
    section = scaling_section(result)
    assert section.figures["cpu_s_a_transaction"] == pytest.approx(0.001)
    assert section.figures["cpu_s_a_million_fills"] == pytest.approx(8.9)
    assert section.figures["cpu_s_a_million_accounts"] == pytest.approx(1_000)
    assert "A cluster by these figures" in section.grids[0].title
    assert "workers: 1" in drawn(section.charts)
