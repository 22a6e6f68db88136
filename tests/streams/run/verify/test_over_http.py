"""The commands read a history over HTTP as they read its folder, and while it is written."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import sinks.reading
from sinks.door import Door
from sinks.store import Store
from streams.base.settings import Settings
from streams.run.cli import main
from streams.run.verify.verifier import Verifier
from tests.simulation.driver import PARTITIONS
from tests.streams.run.verify.conftest import FOLDER, Spoil

pytestmark = pytest.mark.embedded
ALWAYS_US = 1 << 53
STATES = """SELECT count() AS n FROM margin_state
WHERE event_time >= '2025-01-06 00:00:12' AND event_time < '2025-01-06 00:00:20'"""
A_MARK = """SELECT _partition AS partition, _offset AS offset, account_id FROM margin_state
WHERE length(`positions.mark`) > 0 ORDER BY event_time DESC, account_id LIMIT 1"""


@contextmanager
def door(data: Path, *, writable: bool = False) -> Iterator[str]:
    with Door(str(data / FOLDER), writable=writable) as opened:
        yield opened.url


def run(command: str, *arguments: str) -> Result:
    environment = {"PLIMSOLL_PARTITIONS": str(PARTITIONS)}
    return CliRunner().invoke(main, [command, *arguments], env=environment)


@pytest.mark.parametrize("writable", [False, True])
def test_a_history_is_verified_page_by_page(
    recorded: Path, monkeypatch: pytest.MonkeyPatch, writable: bool
) -> None:
    monkeypatch.setattr(sinks.reading, "PAGE_ROWS", 397)
    period = ("--from", "2025-01-06T00:00:12", "--to", "2025-01-06T00:00:20", "--json")
    with door(recorded, writable=writable) as url:
        done = run("verify", *period, "--dsn", url)
        with Store(url, create=False) as store:
            told = store.query(STATES)[0]["n"]
    made = json.loads(done.stdout)
    assert (done.exit_code, made["findings"], made["changed"]) == (0, [], [])
    assert made["records"]["margin-state"] == told > 100


def test_a_byte_of_a_mark_is_named(spoiled: Spoil, recorded: Path) -> None:
    with door(recorded) as url, Store(url, create=False) as store:
        row = store.query(A_MARK)[0]
    place = f"_partition = {row['partition']} AND _offset = {row['offset']}"
    data = spoiled(
        "ALTER TABLE margin_state UPDATE `positions.mark` = arrayMap(mark -> "
        "reinterpret(bitXor(reinterpretAsInt64(mark), 1024), 'Decimal64(8)'), `positions.mark`) "
        f"WHERE {place}"
    )
    with door(data) as url:
        done = run("verify", "--dsn", url, "--to", "2031-01-01")
    assert done.exit_code == 1
    assert f"margin-state/{row['partition']} {row['offset']}, {row['account_id']} at" in done.output
    assert "mark of " in done.output


def test_an_account_is_shown_as_from_its_folder(recorded: Path) -> None:
    question = ("history", "mm-01", "--at", "2025-01-06T00:00:15", "--json")
    with door(recorded) as url:
        done = run(*question, "--dsn", url)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads(run(*question, "--data", str(recorded)).stdout)


def test_what_a_sink_has_just_written_is_left_for_later(recorded: Path) -> None:
    settings = Settings.read(partitions=PARTITIONS)
    with Store(f"chdb://{recorded / FOLDER}", create=False) as store:
        report = Verifier(store, settings, 0, ALWAYS_US, recent_s=86_400).run()
    assert report.clean
    assert not report.records
