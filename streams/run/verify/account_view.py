"""What `plimsoll history` prints."""

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from schemas.units import text
from streams.audit.judging import record_id
from streams.audit.minutes import clock
from streams.run.verify.account import AccountAt

SHOWN = 10


def account_view(made: AccountAt) -> Iterator[RenderableType]:
    """For people: each bucket with what it held and was worth, then what that rests on."""
    state = made.state
    note = ", quarantined" if state["quarantined"] else ""
    yield Text(f"{state['account_id']} at {clock(made.time_us)} UTC{note}", style="bold")
    yield _buckets(state)
    if state["positions"]:
        yield _positions(made.state)
        yield _marks(made)
    if state["balances"]:
        yield _balances(state)
    else:
        yield Text("It held nothing.")
    if state["greeks"]:
        yield _greeks(state)
    yield from _rests_on(made)


def account_document(made: AccountAt) -> dict[str, Any]:
    """For programs; amounts are decimal text."""
    last = made.last_state
    return {
        **_texts(made.state),
        "event_time": clock(made.time_us),
        "last_state": last and {
            "partition": last.partition, "offset": last.offset,
            "event_time": clock(last.record["event_time"]), "follows": made.follows,
        },
        "since": [
            {"topic": one.topic, "offset": one.offset, "event_time": clock(one.time_us),
             "id": record_id(one.topic, one.record)}
            for one in made.since
        ],
        "ticks": {
            name: {"partition": partition, "offset": offset}
            for name, (partition, offset) in sorted(made.ticks.items())
        },
    }  # fmt: skip


def _texts(value: Any) -> Any:
    """Amounts of 1e-8 as decimal text, at any depth."""
    if isinstance(value, list):
        return [_texts(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name.removesuffix("_e8"): text(one) if name.endswith("_e8") and one is not None
        else _texts(one)
        for name, one in value.items()
    }  # fmt: skip


def _table(*titles: str, words: int) -> Table:
    """The first `words` columns are words, the others numbers."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for number, title in enumerate(titles):
        table.add_column(title, justify="left" if number < words else "right")
    return table


def _buckets(state: dict[str, Any]) -> Table:
    table = _table("bucket", "stage", "guard", "equity", "initial margin", "maintenance margin",
                   "health", words=3)  # fmt: skip
    for one in state["buckets"]:
        health = "" if one["health"] is None else f"{one['health']:.4f}"
        table.add_row(
            one["bucket"], one["stage"], one["guard"], text(one["equity_e8"]),
            text(one["initial_margin_e8"]), text(one["maintenance_margin_e8"]), health,
        )  # fmt: skip
    return table


def _positions(state: dict[str, Any]) -> Table:
    table = _table("bucket", "position", "quantity", "cost", "profit", "maintenance margin",
                   "liquidation price", words=2)  # fmt: skip
    for one in state["positions"]:
        liquidation_e8 = one["liquidation_price_e8"]
        table.add_row(
            one["bucket"], one["instrument_id"], text(one["quantity_e8"]), text(one["cost_e8"]),
            text(one["profit_e8"]), text(one["maintenance_margin_e8"]),
            "" if liquidation_e8 is None else text(liquidation_e8),
        )  # fmt: skip
    return table


def _marks(made: AccountAt) -> Table:
    table = _table("mark of", "told by", "mark", words=2)
    marks = {one["instrument_id"]: one["mark_e8"] for one in made.state["positions"]}
    for name, mark_e8 in sorted(marks.items()):
        partition, offset = made.ticks[name]
        table.add_row(name, f"prices/{partition} {offset}", text(mark_e8))
    return table


def _balances(state: dict[str, Any]) -> Table:
    table = _table("bucket", "balance", "amount", words=2)
    for one in state["balances"]:
        table.add_row(one["bucket"], one["asset"], text(one["amount_e8"]))
    return table


def _greeks(state: dict[str, Any]) -> Table:
    table = _table("bucket", "underlying", "delta", "gamma", "vega", "theta", words=2)
    for one in state["greeks"]:
        values = (f"{one[name]:.6g}" for name in ("delta", "gamma", "vega", "theta"))
        table.add_row(one["bucket"], one["underlying"], *values)
    return table


def _rests_on(made: AccountAt) -> Iterator[Text]:
    last = made.last_state
    if last is None:
        yield Text("No margin state of it was told until then: it rests on its own records alone.")
    else:
        when = clock(last.record["event_time"])
        yield Text(f"Rests on margin-state/{last.partition} {last.offset} of {when}")
        if not made.follows:
            yield Text("which does not follow from the account's records: see `plimsoll verify`",
                       style="bold red")  # fmt: skip
    if not made.since:
        yield Text("and nothing has moved it since.")
        return
    yield Text(f"and {len(made.since):,} records since, the last of them:")
    for one in made.since[-SHOWN:]:
        identity = record_id(one.topic, one.record) or one.record.get("funding_id", "")
        yield Text(f"  {clock(one.time_us)}  {one.topic} {one.offset}  {identity}")
