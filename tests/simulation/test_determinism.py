"""The same inputs give the same book and the same decisions, however they fall into blocks."""

from collections import Counter

import pytest

from streams.market.config import MarketConfig
from streams.processors.report import report
from tests.simulation.driver import Driver

STEPS = 300
CONFIG = MarketConfig(
    seed=7, accounts=150, fills_per_s=60.0, crash_at_s=20.0, fall_s=40.0, opening_s=15.0
)


@pytest.fixture(scope="module")
def runs() -> dict[int, Driver]:
    return {size: Driver(size, CONFIG).run(STEPS) for size in (1, 100, 5_000)}


def test_the_crash_reaches_every_stage(runs: dict[int, Driver]) -> None:
    said = Counter(
        one.values.get("level") or one.values.get("action") for one in runs[100].outputs
        if one.topic in ("margin-calls", "liquidations")
    )  # fmt: skip
    for name in ("WARNING", "CALL", "CURED", "REDUCE", "COMPLETED", "TAKE_OVER"):
        assert said[name] > 0, f"no {name} in {said}"


def test_block_size_changes_neither_book_nor_decisions(runs: dict[int, Driver]) -> None:
    assert {run.digest() for run in runs.values()} == {runs[1].digest()}
    assert runs[1].ids() == runs[100].ids() == runs[5_000].ids()


def test_ids_are_unique(runs: dict[int, Driver]) -> None:
    assert len(set(runs[100].ids())) == len(runs[100].ids())


def test_money_and_positions_are_conserved_to_the_unit(runs: dict[int, Driver]) -> None:
    for run in runs.values():
        sums = report(run.cycle)
        for name, asset in sums["assets"].items():
            assert asset["balances_e8"] == asset["external_e8"], name
        for name, instrument in sums["instruments"].items():
            assert instrument == {"quantity_e8": 0, "cost_e8": 0}, name


def test_every_record_was_applied(runs: dict[int, Driver]) -> None:
    run = runs[100]
    assert not run.cycle.letters.by_reason
    assert {topic: run.cycle.applied[topic] for topic in run.sent} == dict(run.sent)


def test_the_legs_of_a_transfer_sum_to_zero(runs: dict[int, Driver]) -> None:
    sums: dict[tuple[str, str | None], list[int]] = {}
    for one in runs[100].outputs:
        if one.topic == "transfers":
            leg = one.values
            what = (leg["transfer_id"], leg["asset"] or leg["instrument_id"])
            total = sums.setdefault(what, [0, 0, 0])
            for place, field in enumerate(("amount_e8", "quantity_e8", "cost_e8")):
                total[place] += leg[field]
    assert sums
    assert all(total == [0, 0, 0] for total in sums.values())


def test_another_seed_is_another_market() -> None:
    other = MarketConfig(seed=8, accounts=100, fills_per_s=100.0)
    same = MarketConfig(seed=7, accounts=100, fills_per_s=100.0)
    digests = {Driver(100, config).run(40).digest() for config in (other, same, same)}
    assert len(digests) == 2
