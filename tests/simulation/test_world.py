"""Exactly once, whatever crashes, is held up or is reassigned: many seeded worlds, and mutants."""

import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from streams.state.changelog import ChangelogError
from tests.simulation.log import Entry
from tests.simulation.mutants import MUTANTS, Patch
from tests.simulation.seeds import survey
from tests.simulation.world import World

SEEDS = 150
SEEDS_A_MUTANT = 60
SHOWN_BY = {"gains_are_taken_twice": 97}
"""A mutant that few worlds show -> the seed of one, tried first."""
SCENARIOS = {
    "a zombie is fenced": 3,
    "crash before acknowledgement": 17,
    "crash taking over another of 2": 7,
    "crash between commits, the first with legs of TAKEOVER": 32,
    "a record sent again across a restart": 0,
    "a contract is settled": 1,
    "a winner takes over": 4,
    "a leg is returned": 4,
    "a loss is socialised": 36,
    "an auction is awarded": 4,
    "a penalty is swept": 11,
}
"""What happened in a world -> a seed of it; another one is told by `--seeds`, see `seeds.py`."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Lost partitions are no news here."""
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def test_no_seed_breaks_a_promise() -> None:
    outcomes = list(survey(range(SEEDS), processes=2))
    failed = {one.seed: one.findings for one in outcomes if one.findings}
    assert not failed, f"seed {min(failed)}: {failed[min(failed)]}; all: {sorted(failed)}"
    assert sum(one.skipped for one in outcomes) > 0, "nothing came twice: nothing was tested"
    assert set().union(*(one.seen for one in outcomes)) >= SCENARIOS.keys()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str) -> None:
    world = World(SCENARIOS[scenario]).run()
    assert scenario in world.seen
    assert world.findings == []


def test_a_fund_that_stays_in_deficit_takes_each_gain_once_and_leaves_no_slice_in_debt() -> None:
    world = World(738).run()
    assert "a loss is socialised" in world.seen
    assert world.findings == []


def test_a_seed_is_one_world() -> None:
    """What failed once fails again: offsets, keys, values and markers are the same."""
    first, second = (World(7).run().broker.logs for _ in range(2))
    assert {place: log.end for place, log in first.items()} == {
        place: log.end for place, log in second.items()
    }
    for place, log in first.items():
        assert [contents(e) for e in log.entries] == [contents(e) for e in second[place].entries]


def contents(entry: Entry) -> tuple[Any, ...]:
    return entry.offset, entry.key, entry.value, entry.headers


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_world_with_a_defect_is_found(
    mutant: Callable[[Patch], None], monkeypatch: Patch
) -> None:
    mutant(monkeypatch)
    seeds = (SHOWN_BY.get(mutant.__name__, 0), *range(SEEDS_A_MUTANT))
    found = (findings_of(World(seed)) for seed in seeds)
    assert any(re.search(MUTANTS[mutant], one) for one in found)


def findings_of(world: World) -> str:
    try:
        return " ".join(world.run().findings)
    except ChangelogError as error:  # nobody can take over any more
        return f"ChangelogError: {error}"
    except KeyError as error:  # a transaction is ended that is not open any more
        return f"the world ended: {error!r}"
