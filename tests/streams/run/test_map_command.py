"""The map that is shown: the newest parts added up, without those that nobody answers for."""

from io import StringIO
from typing import Any

from click.testing import CliRunner
from rich.console import Console

from schemas.units import E8
from streams.run.cli import main
from streams.run.map_command import FRESH_US, drawn, total

NOON_US = 1_760_011_200_000_000


def part(partition: int, second: float, longs: list[int], **more: Any) -> dict[str, Any]:
    shocks = (-20_000, -10_000, -5_000, 0, 10_000)
    return {
        "event_time": NOON_US + round(second * 1e6), "instrument_id": "BTC-PERP",
        "partition": partition, "mark_e8": 50_000 * E8,
        "unmapped_long_e8": 0, "unmapped_short_e8": 0,
        "steps": [
            {"shock_ppm": shock, "long_e8": long * E8, "short_e8": 0}
            for shock, long in zip(shocks, longs, strict=True)
        ], **more,
    }  # fmt: skip


def shown(records: list[dict[str, Any]], depth_e8: int | None) -> list[list[str]]:
    found = total(records, "BTC-PERP")
    assert found is not None
    console = Console(width=120, file=StringIO())
    for block in drawn("BTC-PERP", found, depth_e8):
        console.print(block)
    assert isinstance(console.file, StringIO)
    return [line.split() for line in console.file.getvalue().splitlines()]


RECORDS = [
    part(0, 0, [900, 900, 900, 900, 900]),
    part(0, 1, [8_000, 5_000, 0, 0, 0]),
    part(1, 2, [1_000, 1_000, 0, 0, 0], mark_e8=49_000 * E8, unmapped_short_e8=7 * E8),
    part(0, 3, [1, 1, 1, 1, 1], instrument_id="ETH-PERP"),
]


def test_the_newest_parts_add_up_and_old_ones_are_left_out() -> None:
    found = total(RECORDS, "BTC-PERP")
    assert found is not None
    assert found.long_e8.tolist() == [9_000 * E8, 6_000 * E8, 0, 0, 0]
    assert (found.partitions, found.mark_e8) == (2, 49_000 * E8)
    later = [*RECORDS, part(1, FRESH_US / 1e6 + 1.5, [1_000, 0, 0, 0, 0])]
    again = total(later, "BTC-PERP")
    assert again is not None
    assert again.long_e8.tolist() == [1_000 * E8, 0, 0, 0, 0]
    assert total(RECORDS, "DOGE-PERP") is None
    assert total([], "BTC-PERP") is None


def test_a_row_a_percent_with_the_cascade_where_a_depth_is_given() -> None:
    lines = shown(RECORDS, 3_000 * E8)
    assert lines[0][:4] == ["BTC-PERP", "mark", "49,000", "2025-10-09"]
    rows = {line[0]: line for line in lines[2:] if line}
    assert list(rows) == ["+1.0%", "0", "-1.0%", "-2.0%", "not"]
    # 6,000 sold at -1% take it to -3%, beyond -2%, where 9,000 are sold: to -4%
    assert rows["-1.0%"][1:3] == ["48,510", "6,000"]
    assert rows["-1.0%"][-2:] == ["-4.0%", "9,000"]
    assert rows["-2.0%"][-2:] == ["-5.0%", "9,000"]
    assert rows["not"][-2:] == ["7", "short"]
    plain = {line[0]: line for line in shown(RECORDS[:2], None) if line}
    assert plain["-1.0%"][-1].strip("█") == "", "no cascade without a depth"


def test_a_depth_that_is_none_is_refused() -> None:
    asked = ["map", "BTC-PERP", "--bootstrap", "127.0.0.1:1", "--depth"]
    for depth in ("0", "-5", "much"):
        result = CliRunner().invoke(main, [*asked, depth])
        assert result.exit_code == 1
        assert "Error" in result.output
