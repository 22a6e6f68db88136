"""`plimsoll sink` as a user runs it: started, stopped, checked, repaired."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from sinks.clickhouse import Delivery, create_tables, deliver
from sinks.door import Door
from sinks.store import Store
from sinks.verifier import check
from streams.run.broker import EmbeddedBroker
from streams.run.cli import main
from streams.run.topics import ensure_topics
from tests.sinks.carrying import (
    PARTITIONS,
    PATIENCE_S,
    QUICK,
    all_offsets,
    encoded,
    offsets,
    produce,
)
from tests.sinks.samples import fills

pytestmark = pytest.mark.embedded


def test_it_carries_until_it_is_asked_to_stop(
    broker: EmbeddedBroker, server: Door, tmp_path: Path
) -> None:
    ensure_topics(broker.bootstrap, PARTITIONS)
    produce(broker.bootstrap, "fills", encoded("fill", 20))
    config = tmp_path / "kafka.properties"
    config.write_text("# quick\n\n" + "\n".join(f"{k} = {v}" for k, v in QUICK.items()))
    sink = subprocess.Popen(
        [sys.executable, "-m", "streams.run.cli", "sink", "--kafka-config", str(config)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PLIMSOLL_BOOTSTRAP": broker.bootstrap, "PLIMSOLL_DSN": server.url},
    )
    with Store(server.url) as store:
        create_tables(store)
        deadline = time.monotonic() + PATIENCE_S
        while len(offsets(store, "fills")) < 20 and time.monotonic() < deadline:
            time.sleep(0.1)
        produce(broker.bootstrap, "fills", encoded("fill", 10))
        sink.send_signal(signal.SIGTERM)
        told, _ = sink.communicate(timeout=PATIENCE_S)
        assert sink.returncode == 0
        assert json.loads(told) == {"final": {"fills": 30}}
        assert offsets(store, "fills") == all_offsets(30)
        assert check(store) == []


def test_a_table_of_another_kind_ends_it_with_a_sentence(
    broker: EmbeddedBroker, server: Door, tmp_path: Path
) -> None:
    ensure_topics(broker.bootstrap, PARTITIONS)
    produce(broker.bootstrap, "fills", encoded("fill", 20))
    with Store(server.url) as store:
        create_tables(store)
        store.create("ALTER TABLE fills DROP COLUMN isolated_margin")
    ended = subprocess.run(
        [sys.executable, "-m", "streams.run.cli", "sink", "--bootstrap", broker.bootstrap,
         "--dsn", server.url],
        stderr=subprocess.PIPE, timeout=PATIENCE_S, check=False, text=True,
    )  # fmt: skip
    assert ended.returncode == 1
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: SchemaDiffersError: ")
    assert "isolated_margin" in last
    assert "Traceback" not in ended.stderr


def test_check_and_repair_tell_what_they_find_and_do(store: Store, dsn: str) -> None:
    command = ["sink", "--dsn", dsn]
    whole = CliRunner().invoke(main, [*command, "--check"])
    assert (whole.exit_code, whole.output) == (0, "the history is whole\n")
    deliver(store, Delivery(fills(0, 5), "id"))
    wrong = CliRunner().invoke(main, [*command, "--check"])
    assert wrong.exit_code == 1
    assert wrong.output == "stray: fills/3 0-0: 5 rows in no block\nError: 1 findings\n"
    mended = CliRunner().invoke(main, [*command, "--repair"])
    assert (mended.exit_code, mended.output) == (1, wrong.output)


def test_it_says_what_is_missing(tmp_path: Path) -> None:
    dsn = f"chdb://{tmp_path / 'history'}"
    nowhere = CliRunner().invoke(main, ["sink", "--dsn", dsn])
    assert (nowhere.exit_code, "--bootstrap is missing" in nowhere.output) == (2, True)
    config = tmp_path / "kafka.properties"
    config.write_text("sasl.username")
    unset = CliRunner().invoke(main, ["sink", "--dsn", dsn, "--kafka-config", str(config)])
    assert (unset.exit_code, "'sasl.username' has no =" in unset.output) == (2, True)
