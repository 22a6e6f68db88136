"""The whole pipeline as a user runs it: broker, worker, market, sink, summary."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

pytestmark = pytest.mark.embedded
PATIENCE_S = 300.0
"""Only a run that hangs needs as long."""
PLIMSOLL = [sys.executable, "-m", "streams.run.cli"]


def descendants() -> set[int]:
    """Processes that carry our mark in their environment."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"PLIMSOLL_TEST_MARK={os.getpid()}".encode() in (folder / "environ").read_bytes():
                found.add(int(folder.name))
        except OSError:
            continue
    return found


def start(*arguments: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PLIMSOLL_TEST_MARK": str(os.getpid())}
    return subprocess.Popen(
        [*PLIMSOLL, *arguments], text=True, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def check(summary: dict[str, Any]) -> None:
    """What must hold of every clean run."""
    assert summary["unread"] == 0
    assert summary["tables"] == summary["topics"]
    assert summary["conservation"]["exact"] is True
    assert summary["dead_letters"] == {}
    assert summary["repeated_ids"] == 0


def recorded(folder: Path) -> Path:
    """A made-up recording: a minute of calm, then a fall of a third in two minutes."""
    start_at = datetime(2025, 3, 1, tzinfo=UTC)
    rows = []
    for minute in range(6):
        price = 1_000_000 - max(0, minute - 1) * 80_000
        rows.append({
            "symbol": "venue:BTC-USD", "ts": start_at + timedelta(minutes=minute), "scale": 1,
            "open": price, "high": price + 2_000, "low": price - 60_000, "close": price - 40_000,
            "volume": 100.0,
        })  # fmt: skip
    frame = pl.DataFrame(rows).with_columns(
        pl.col("ts").dt.cast_time_unit("ms"), pl.col("scale").cast(pl.Int8)
    )
    path = folder / "bars_1m.parquet"
    frame.write_parquet(path)
    return path


def test_a_recorded_crash_liquidates_and_every_table_holds_its_topic(tmp_path: Path) -> None:
    summary_path = tmp_path / "summary.json"
    process = start(
        "up", "--replay", str(recorded(tmp_path)), "--speed", "30", "--accounts", "300",
        "--summary", str(summary_path), "--data", str(tmp_path / "data"),
    )  # fmt: skip
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    summary = json.loads(summary_path.read_text())
    check(summary)
    assert summary["calls"]["CALL"] > 0
    assert summary["liquidations"]["CANCEL_ORDERS"] > 0
    assert summary["topics"]["transfers"] > 0
    fell = summary["waterfall"]
    assert 0 < fell["taken_over"]["buckets"] <= summary["liquidations"]["TAKE_OVER"]
    assert "taken over: " in output
    assert summary["latency_ms"]["p99"] is not None
    assert (tmp_path / "data" / "clickhouse").is_dir(), "history is kept where it was asked for"
    assert "conservation: exact" in output
    assert descendants() == set()


def test_two_workers_share_the_accounts(tmp_path: Path) -> None:
    summary_path = tmp_path / "summary.json"
    process = start(
        "up", "--workers", "2", "--duration", "6", "--accounts", "200", "--partitions", "4",
        "--summary", str(summary_path),
    )  # fmt: skip
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    summary = json.loads(summary_path.read_text())
    check(summary)
    assert sum(summary["stages"].values()) == 204, "200 accounts and 4 market makers, each once"


def test_ctrl_c_ends_everything_with_a_summary() -> None:
    process = start("up", "--accounts", "100")
    assert process.stdout is not None
    for line in process.stdout:
        if "prices" in line and " fills 0/s" not in line:
            break
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)  # a hang takes longer, a slow machine does not
    assert process.returncode == 0, output
    assert "digest" in output or "interrupted" in output
    assert descendants() == set()


def test_bad_arguments_are_named() -> None:
    process = start("up", "--from", "yesterday")
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "'yesterday' is not a time such as 2025-10-10T20:15" in output
