"""The commands as a user runs them, against a pipeline that is up."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.embedded
PLIMSOLL = [sys.executable, "-m", "streams.run.cli"]
PATIENCE_S = 300
"""Only a run that hangs needs as long."""


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    """The address that `plimsoll up` prints."""
    arguments = ["up", "--accounts", "120", "--no-options", "--partitions", "2"]
    process = subprocess.Popen(
        [*PLIMSOLL, *arguments, "--fills-per-s", "60", "--insurance-fund", "500"],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        assert process.stdout is not None
        found = next(filter(None, (re.match(r"broker (\S+),", line) for line in process.stdout)))
        yield found[1]
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*PLIMSOLL, *arguments], text=True, capture_output=True, check=False, timeout=PATIENCE_S
    )


def test_a_running_pipeline_is_audited_and_an_account_of_it_explained(bootstrap: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    made: dict[str, Any] = {"assets": {}, "instruments": {}}
    while "USDT" not in made["assets"] or not made["instruments"]:
        assert time.monotonic() < deadline, "no worker has applied any trade"
        done = run("audit", "--bootstrap", bootstrap, "--every", "5", "--json")
        made = json.loads(done.stdout) if done.stdout else made
    assert done.returncode == 0, done.stdout
    assert made["clean"] is True
    sums = made["assets"]["USDT"]
    assert sums["balances"] == sums["deposits_less_withdrawals"]
    told = run("audit", "--bootstrap", bootstrap, "--topics-only")
    assert told.returncode == 0, told.stdout + told.stderr
    assert "nothing found: all is conserved, to the last unit" in told.stdout
    fund = run("explain", "@insurance:USDT", "--bootstrap", bootstrap, "--json")
    assert fund.returncode == 0, fund.stderr
    assert json.loads(fund.stdout)["statement"]["account_id"] == "@insurance:USDT"
    nobody = run("explain", "nobody", "--bootstrap", bootstrap)
    assert nobody.returncode == 1
    assert "no record of the topics names the account 'nobody'" in nobody.stderr
