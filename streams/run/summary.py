"""The summary of a run: records on topics, rows in tables, and whether money is conserved."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from schemas.topics import TOPICS
from schemas.units import text
from streams.live.feed import Picture


def summarise(
    picture: Picture,
    counts: dict[str, int],
    rows: dict[str, int],
    finals: Sequence[dict[str, Any]],
    seconds: float,
) -> dict[str, Any]:
    """Join what the topics (`picture`, `counts`), the sink (`rows`) and the workers report."""
    seconds = max(seconds, 1e-3)
    return {
        "topics": counts,
        "tables": {t.name: rows.get(t.name.replace("-", "_"), 0) for t in TOPICS},
        "stages": dict(_added(final.get("stages", {}) for final in finals)),
        "calls": dict(picture.calls),
        "liquidations": dict(picture.liquidations),
        "dead_letters": dict(_added(final.get("dead_letters", {}) for final in finals)),
        "repeated_ids": sum(1 for count in picture.ids.values() if count > 1),
        "conservation": _conservation(finals),
        "digest": f"{sum(int(f.get('digest', '0'), 16) for f in finals) % 2**128:032x}",
        "latency_ms": _latency(picture.latencies_ms),
        "rates": {
            "prices_per_s": round(counts["prices"] / seconds, 1),
            "fills_per_s": round(counts["fills"] / seconds, 1),
        },
        "seconds": round(seconds, 1),
    }


def _added(counts: Any) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return total


def _conservation(finals: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Per asset: balances = deposits less withdrawals; per instrument: quantities and costs = 0."""
    assets: dict[str, Counter[str]] = {}
    instruments: dict[str, Counter[str]] = {}
    for final in finals:
        for total, part in ((assets, final.get("assets")), (instruments, final.get("instruments"))):
            for name, sums in (part or {}).items():
                total.setdefault(name, Counter()).update(sums)
    held = {name: sums["balances_e8"] - sums["external_e8"] for name, sums in assets.items()}
    open_ = {name: [sums["quantity_e8"], sums["cost_e8"]] for name, sums in instruments.items()}
    return {
        "exact": bool(finals) and not any(held.values()) and not any(map(any, open_.values())),
        "assets": {
            name: {
                "balances": text(sums["balances_e8"]),
                "external": text(sums["external_e8"]),
                "difference": text(held[name]),
            }
            for name, sums in assets.items()
        },
        "instruments": {
            name: {"quantity": text(quantity), "cost": text(cost)}
            for name, (quantity, cost) in open_.items()
        },
    }


def _latency(latencies_ms: list[int]) -> dict[str, float | None]:
    if not latencies_ms:
        return {"p50": None, "p99": None, "max": None}
    p50, p99, highest = np.percentile(latencies_ms, [50, 99, 100]).tolist()
    return {"p50": round(p50, 1), "p99": round(p99, 1), "max": round(highest, 1)}


def print_summary(summary: dict[str, Any], console: Console) -> None:
    """The summary for people."""
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for column in ("topic", "records", "rows in its table"):
        table.add_column(column, justify="left" if column == "topic" else "right")
    for name, records in summary["topics"].items():
        rows = summary["tables"][name]
        if records or rows:
            table.add_row(name, f"{records:,}", f"{rows:,}")
    console.print(table)
    for title in ("stages", "calls", "liquidations", "dead_letters", "latency_ms"):
        said = ", ".join(f"{k} {v}" for k, v in summary[title].items()) or "none"
        console.print(f"{title.replace('_', ' ')}: {said}", highlight=False)
    for line in waterfall_lines(summary["waterfall"]):
        console.print(line, highlight=False)
    if summary["unread"]:
        console.print(
            f"interrupted: {summary['unread']:,} records were not applied", style="yellow"
        )
        return
    exact = summary["conservation"]["exact"]
    console.print(
        "conservation: exact, to the last unit"
        if exact
        else f"conservation BROKEN: {summary['conservation']}",
        style="green" if exact else "bold red",
    )
    console.print(f"digest: {summary['digest']}   after {summary['seconds']} s", style="dim")


def waterfall_lines(told: dict[str, Any]) -> Iterator[str]:
    """What each stage took, one line a stage; stages that were not reached are left out."""
    reduced, taken, sold = told["reduced"], told["taken_over"], told["auctioned"]
    if reduced["orders"]:
        yield f"reduced: {_usd(reduced)} by {reduced['orders']:,} orders"
    if taken["buckets"]:
        yield (
            f"taken over: {_usd(taken)} of {taken['buckets']:,} buckets, "
            f"{taken['bankrupt']:,} bankrupt for {taken['loss']}"
        )
    if sold["awards"]:
        yield (
            f"auctioned: {_usd(sold)} to {sold['bidders']:,} bidders in {sold['auctions']:,} "
            f"auctions, {sold['discount_percent']} % below the opening price"
        )
    yield from _deleveraging_lines(told["deleveraged"])
    if told["returned"]:
        yield f"returned: {told['returned']:,} legs that their accounts could not bear"
    if told["socialised"]["amounts"]:
        shared = told["socialised"]
        yield f"socialised: {_amounts(shared['amounts'])} over {shared['payers']:,} winners"
    if told["lowest_fund"]:
        yield f"lowest balance of the fund: {_amounts(told['lowest_fund'])}"


def _deleveraging_lines(ours: dict[str, Any]) -> Iterator[str]:
    """What was taken of winners, and what whole positions in the same order would have been."""
    if not ours["legs"]:
        return
    plain = ours["plain_queue"]
    yield (
        f"deleveraged: {_usd(ours)} of {ours['winners']:,} winners in {ours['requests']:,} "
        f"requests, gains of {ours['gain_usd']:,.0f} closed early, "
        f"{_amounts(ours['conceded']) or 'nothing'} given up"
    )
    yield (
        f"a plain queue: {_usd(plain)} of {plain['winners']:,} winners, gains of "
        f"{plain['gain_usd']:,.0f}: {plain['notional_usd'] - ours['notional_usd']:,.0f} and "
        f"{plain['gain_usd'] - ours['gain_usd']:,.0f} more"
    )


def _usd(stage: dict[str, Any]) -> str:
    return f"{stage['notional_usd']:,.0f} USD"


def _amounts(of: dict[str, str]) -> str:
    return ", ".join(f"{amount} {asset}" for asset, amount in of.items())
