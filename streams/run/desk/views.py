"""Statements of buckets as tables; after a shock both stand side by side."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from risk.explain import Step

Record = Mapping[str, Any]
NONE = "-"
STYLES = {
    "BANKRUPT": "bold red",
    "LIQUIDATABLE": "red",
    "CALLED": "yellow",
    "WARNED": "yellow",
    "REDUCE_ONLY": "cyan",
    "OPEN": "green",
    "EXCESS": "green",
}
FIGURES = ("quantity", "mark", "profit", "notional", "maintenance_margin", "liquidation_price")
GREEKS = ("delta", "gamma", "vega", "theta")


def overview(statement: Record) -> Iterator[RenderableType]:
    """A block of tables for each bucket."""
    shocked = statement.get("shocked")
    heads = ["now"] if shocked is None else ["now", shocked["shock"]]
    every = (
        [statement["buckets"]] if shocked is None else [statement["buckets"], shocked["buckets"]]
    )
    for states in zip(*every, strict=True):
        yield _bucket(states, heads)


def explanation(name: str, steps: Sequence[Step]) -> RenderableType:
    """The steps of a calculation, one row each."""
    table = Table(title=name, title_justify="left", title_style="bold", show_lines=True)
    for head in ("step", "formula", "numbers"):
        table.add_column(head, overflow="fold")
    for step in steps:
        numbers = "\n".join(f"{what} = {value}" for what, value in step.numbers.items())
        table.add_row(Text(step.what), Text(step.formula), Text(numbers))
    return table


def _bucket(states: Sequence[Record], heads: Sequence[str]) -> RenderableType:
    first = states[0]
    title = Text.assemble(
        (f"{first['account_id']} / {first['bucket']}", "bold"), f"  {first['mode'].lower()}"
    )
    tables: list[RenderableType] = [title, _standing(states, heads)]
    if first["positions"]:
        tables.append(_positions(states, heads))
    if any(state["greeks"] for state in states):
        tables.append(_greeks(states, heads))
    return Group(*tables, "")


def _standing(states: Sequence[Record], heads: Sequence[str]) -> Table:
    table = _table("", *heads)
    table.add_row("standing", *(Text(s["standing"], STYLES[s["standing"]]) for s in states))
    rows = [("equity", [money(state["equity"]) for state in states])]
    if any(state["initial_equity"] != state["equity"] for state in states):
        rows.append(("equity that meets initial", [money(s["initial_equity"]) for s in states]))
    for level in states[0]["levels"]:
        rows.append((f"  {level}", [money(state["levels"][level]) for state in states]))
    rows.append(("health", [_ratio(state["health"]) for state in states]))
    rows.append(("top-up to initial", [money(state["top_up"]["initial"]) for state in states]))
    rows.append(("worst scenario", [state["worst_scenario"] or NONE for state in states]))
    rows.append(("all marks to maintenance", [_distance(state) for state in states]))
    for name, cells in rows:
        table.add_row(name, *cells)
    return table


def _positions(states: Sequence[Record], heads: Sequence[str]) -> Table:
    table = _table("position", *_heads(heads), *(name.replace("_", " ") for name in FIGURES))
    for rows in zip(*(state["positions"] for state in states), strict=True):
        for number, row in enumerate(rows):
            name = row["instrument_id"] if number == 0 else ""
            cells = {figure: money(row[figure]) for figure in FIGURES}
            cells["profit"] += f" {row['settlement_asset']}"
            cells["quantity"] = row["quantity"]
            table.add_row(name, *_heads(heads, number), *cells.values())
    return table


def _greeks(states: Sequence[Record], heads: Sequence[str]) -> Table:
    table = _table("underlying", *_heads(heads), *GREEKS)
    for rows in zip(*(state["greeks"] for state in states), strict=True):
        for number, row in enumerate(rows):
            name = row["underlying"] if number == 0 else ""
            table.add_row(name, *_heads(heads, number), *(f"{row[g]:,.6g}" for g in GREEKS))
    return table


def _table(first: str, *heads: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(Text(first), no_wrap=True)
    for head in heads:
        table.add_column(Text(head), justify="right")
    return table


def _heads(heads: Sequence[str], number: int | None = None) -> list[str]:
    """The column that tells now from after the shock, where there is one."""
    if len(heads) == 1:
        return []
    return ["" if number is None else ("now", "after")[number]]


def money(value: str | None) -> str:
    """An amount for the eye: two decimals, all of them where it is below 1."""
    if value is None:
        return NONE
    amount = Decimal(value)
    if abs(amount) >= 1:
        return f"{amount:,.2f}"
    return value


def _ratio(value: float | None) -> str:
    return NONE if value is None else f"{value:,.4f}"


def _distance(state: Record) -> str:
    moves = [state["shock_distance"][side] for side in ("down", "up")]
    return " / ".join(f"{100 * move:+,.2f}%" for move in moves if move is not None) or NONE
