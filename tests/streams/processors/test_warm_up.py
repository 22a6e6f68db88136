"""Every profile can be warmed up, and no decision after it waits for a compiler."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.processors.warm_up import warm_up
from streams.state.profiles import load_profile, profile_names

ROOT = Path(__file__).parents[3]
CRASH = """
from numba.core.dispatcher import Dispatcher

from streams.market.config import MarketConfig
from streams.processors.warm_up import warm_up
from streams.state.profiles import load_profile
from tests.simulation.driver import PARTITIONS, Driver

warm_up(load_profile("default"))
Dispatcher.compile = lambda kernel, types: print("compiles", kernel.py_func.__name__, types)
cycle = Driver(5_000, MarketConfig(
    seed=7, accounts=120, options=True, fills_per_s=60, opening_s=5, crash_at_s=6, fall_s=10
)).run(60).cycle
cycle.log.records({number: cycle.ends(number) for number in range(PARTITIONS)})
"""


@pytest.mark.parametrize("name", profile_names())
def test_a_profile_is_warmed_up(name: str) -> None:
    warm_up(load_profile(name))


def test_a_crash_after_it_meets_no_kernel_that_must_be_compiled() -> None:
    told = subprocess.run(
        [sys.executable, "-c", CRASH], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (told.stdout, told.returncode) == ("", 0), told.stderr
