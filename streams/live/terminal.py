"""The live view in a terminal: rates, stages, worst accounts, latest calls, insurance fund."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from schemas.units import E8
from streams.live.feed import Picture

STAGES = ("HEALTHY", "WARNED", "CALLED", "REDUCING", "TAKEN_OVER")
COLOURS = dict(
    zip(STAGES, ("green", "yellow", "dark_orange", "red", "bright_magenta"), strict=True)
)
SAID = {
    "WARNING": "yellow",
    "CALL": "dark_orange",
    "ESCALATED": "red",
    "CURED": "green",
    "REDUCE": "red",
    "TAKE_OVER": "bright_magenta",
    "COMPLETED": "green",
    "CANCEL_ORDERS": "dim",
}
WORST = 10
BAR = 40


@dataclass(slots=True)
class Numbers:
    """What the counts of the topics say at a moment."""

    counts: dict[str, int] = field(default_factory=dict)
    prices_per_s: float = 0.0
    fills_per_s: float = 0.0
    lag: int = 0
    up_s: float = 0.0


def view(picture: Picture, numbers: Numbers) -> Group:
    """The whole screen."""
    return Group(_head(picture, numbers), _stages(picture), _worst(picture), _latest(picture))


def line(picture: Picture, numbers: Numbers) -> str:
    """The same in one line, where there is no terminal."""
    stages = stage_counts(picture)
    counted = " ".join(f"{stage.lower()} {stages[stage]}" for stage in STAGES[1:])
    return (
        f"{numbers.up_s:6.1f} s  prices {numbers.prices_per_s:,.0f}/s  "
        f"fills {numbers.fills_per_s:,.0f}/s  lag {numbers.lag:,}  {counted}  "
        f"calls {sum(picture.calls.values()):,}  "
        f"liquidations {sum(picture.liquidations.values()):,}  fund {_fund(picture)}"
    )


def stage_counts(picture: Picture) -> Counter[str]:
    """Accounts by the worst stage of their buckets, as last published."""
    return Counter(
        _worst_stage(record) for name, record in picture.accounts.items() if name[0] != "@"
    )


def _worst_stage(record: dict[str, Any]) -> str:
    return max((b["stage"] for b in record["buckets"]), key=STAGES.index, default="HEALTHY")


def _head(picture: Picture, numbers: Numbers) -> Panel:
    moment = datetime.fromtimestamp(picture.clock_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M:%S")
    text = Text.assemble(
        (f"{moment} UTC", "bold"),
        "   prices ",
        (f"{numbers.prices_per_s:,.0f}/s", "cyan"),
        "   fills ",
        (f"{numbers.fills_per_s:,.0f}/s", "cyan"),
        "   lag ",
        (f"{numbers.lag:,}", "cyan"),
        "   up ",
        (f"{numbers.up_s:,.0f} s", "cyan"),
        "   insurance fund ",
        (_fund(picture), "bold"),
    )
    return Panel(text, title="plimsoll", title_align="left", border_style="blue")


def _fund(picture: Picture) -> str:
    """What the insurance funds are worth: balances and the positions they took over."""
    equity = [
        bucket["equity_e8"]
        for account, record in picture.accounts.items()
        if account.startswith("@insurance:")
        for bucket in record["buckets"]
    ]
    return f"{sum(equity) / E8:,.0f}" if equity else "none"


def _stages(picture: Picture) -> Panel:
    counts = stage_counts(picture)
    most = max(counts.values(), default=1)
    table = Table.grid(padding=(0, 2))
    for stage in STAGES:
        width = -(-counts[stage] * BAR // most)
        table.add_row(
            Text(stage, COLOURS[stage]), f"{counts[stage]:,}", Text("█" * width, COLOURS[stage])
        )
    said = "   ".join(
        f"{name.lower().replace('_', ' ')} {count:,}"
        for name, count in (*sorted(picture.calls.items()), *sorted(picture.liquidations.items()))
    )
    table.add_row("", "", Text(said, "dim"))
    return Panel(table, title="accounts by stage", title_align="left", border_style="dim")


def _worst(picture: Picture) -> Panel:
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for column in ("account", "bucket", "stage"):
        table.add_column(column)
    for column in ("health", "equity", "maintenance"):
        table.add_column(column, justify="right")
    rows = [
        (bucket["health"], record["account_id"], bucket)
        for record in picture.accounts.values()
        for bucket in record["buckets"]
        if bucket["health"] is not None and record["account_id"][0] != "@"
    ]
    for health, account, bucket in sorted(rows, key=lambda row: row[0])[:WORST]:
        colour = COLOURS[bucket["stage"]]
        table.add_row(
            account,
            bucket["bucket"],
            Text(bucket["stage"], colour),
            Text(f"{health:.3f}", colour),
            f"{bucket['equity_e8'] / E8:,.2f}",
            f"{bucket['maintenance_margin_e8'] / E8:,.2f}",
        )
    return Panel(table, title="closest to liquidation", title_align="left", border_style="dim")


def _latest(picture: Picture) -> Panel:
    table = Table(box=None, padding=(0, 2), show_header=False)
    for topic, record in reversed(picture.latest):
        moment = datetime.fromtimestamp(record["event_time"] / 1e6, UTC).strftime("%H:%M:%S.%f")
        said = record["level"] if topic == "margin-calls" else record["action"]
        table.add_row(
            Text(moment[:-3], "dim"),
            Text(said, SAID.get(said, "white")),
            record["account_id"],
            record["bucket"],
            _what(topic, record),
        )
    return Panel(
        table, title="latest calls and liquidations", title_align="left", border_style="dim"
    )


def _what(topic: str, record: dict[str, Any]) -> str:
    if topic == "margin-calls":
        return f"top up {record['top_up_e8'] / E8:,.2f}" if record["top_up_e8"] else ""
    if not record["instrument_id"]:
        return ""
    limit = record["limit_price_e8"]
    at = f" at {limit / E8:,.6g} or better" if limit else ""
    return f"{record['side']} {record['quantity_e8'] / E8:,.6g} {record['instrument_id']}{at}"
