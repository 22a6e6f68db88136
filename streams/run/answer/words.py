"""The answer to a customer, in plain sentences with their numbers, and the tables beside them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from risk.explain import Step
from streams.run.desk.views import explanation, money

Document = Mapping[str, Any]
GUARDS = {
    "LIVE": "live: fresh, close to the index, and trading",
    "STALE": "stale",
    "DEVIANT": "too far from the index",
    "WIDE": "too wide between bid and ask",
    "HALTED": "not trading",
}
CALLS = {
    "WARNING": "You were warned",
    "CALL": "You were called for margin",
    "ESCALATED": "The call's deadline passed unanswered",
    "CURED": "The call was cured",
}


def answer(made: Document, *, confirm_ticks: int) -> Iterator[RenderableType]:
    """What was decided and why; what was said before; what was done; what became of it."""
    yield _head(f"Why {made['account_id']} / {made['bucket']} was liquidated")
    yield _summary(made, confirm_ticks)
    yield from _held(made)
    yield _head("How the margin came about")
    yield explanation(f"at {made['decided']} UTC", [Step(**one) for one in made["calculation"]])
    yield _checked(made)
    yield _head("What you were told before")
    yield from _calls(made["calls"])
    yield _head("Why not earlier, and why then")
    yield _why_then(made, confirm_ticks)
    if made["steps"]:
        yield _head("What was done")
        yield from (line for one in made["steps"] for line in _step(one))
    if made["takeover"]:
        yield _head("The takeover")
        yield from _takeover(made["takeover"], made["balances"])
    yield _head("How it ended")
    yield _end(made)


def statement(made: Document) -> Iterator[RenderableType]:
    """Where an account stood at a moment."""
    yield _head(f"{made['account_id']} at {made['at']} UTC")
    if not made["buckets"]:
        yield Text("It held nothing.")
    for one in made["buckets"]:
        yield _head(f"{made['account_id']} / {one['bucket']}")
        worth = _worth(one)
        yield Text(worth[:1].upper() + worth[1:] + _news(one))
        yield from _held(one)
        yield explanation(f"at {made['at']} UTC", [Step(**step) for step in one["calculation"]])


def losses(taken: Sequence[Document]) -> Iterator[RenderableType]:
    """What winners had to give so that a bankruptcy was covered."""
    yield _head("What was taken of your gains")
    for one in taken:
        yield Text(one["sentence"])


def _summary(made: Document, confirm_ticks: int) -> Text:
    if made["action"] is None:
        return Text(f"At {made['decided']} UTC {_worth(made)} Nothing was liquidated.")
    said = (
        f"At {made['decided']} UTC {_worth(made)} Your equity was below the maintenance margin in "
        f"{confirm_ticks} decisions in a row, at marks that may liquidate. "
    )
    if made["action"] == "TAKE_OVER":
        return Text(said + "It was even below zero: the insurance fund took the bucket over.")
    return Text(said + "So a part of your positions was closed.")


def _worth(made: Document) -> str:
    health = "" if made["health"] is None else f", health {made['health']:.4f}"
    return (
        f"your equity was {money(made['equity'])}, and your positions asked for a maintenance "
        f"margin of {money(made['maintenance_margin'])}{health}."
    )


def _news(made: Document) -> str:
    return f" The last that was said of it: {made['last_news']}." if made["last_news"] else ""


def _held(made: Document) -> Iterator[RenderableType]:
    yield _head("What you held")
    if made["positions"]:
        table = _table("position", "quantity", "cost a contract", "mark", "profit",
                       "maintenance margin", "liquidation price")  # fmt: skip
        for one in made["positions"]:
            profit = f"{money(one['profit'])} {one['settlement_asset']}"
            table.add_row(
                one["instrument_id"], one["quantity"], money(one["entry_price"]),
                money(one["mark"]), profit, money(one["maintenance_margin"]),
                money(one["liquidation_price"]),
            )  # fmt: skip
        yield table
    for one in made["positions"]:
        if line := _rules(one):
            yield Text(line)
    balances = ", ".join(f"{money(e8)} {asset}" for asset, e8 in made["balances"].items())
    yield Text(f"Balances: {balances or 'none'}.")


def _rules(position: Document) -> str:
    name, rules = position["instrument_id"], position["rules"]
    said = []
    if position["guard"]:
        said.append(f"The mark of {name} was {GUARDS[position['guard']]}.")
    if rules:
        said.append(
            f"Its notional of {money(position['notional'])} was in tier {rules['tier']} (from "
            f"{money(rules['tier_from'])}): {rules['maintenance_rate']:.2%} maintenance, times "
            f"{rules['margin_scalar']:g}; version {rules['version']} of these rules, in force "
            f"since {rules['since']} UTC ({rules['reason']})."
        )
    return " ".join(said)


def _checked(made: Document) -> Text:
    same = all(made[name] == made["told"][name] for name in ("equity", "maintenance_margin"))
    if same:
        return Text("Calculated anew from your own records for this answer: the same as the order "
                    "says, to the last unit.", style="green")  # fmt: skip
    return Text(
        f"The order itself says equity {money(made['told']['equity'])} and maintenance margin "
        f"{money(made['told']['maintenance_margin'])}: prices of assets moved between its marks.",
        style="yellow",
    )


def _calls(calls: Sequence[Document]) -> Iterator[RenderableType]:
    before = [one for one in calls if one["level"] in CALLS]
    if not before:
        yield Text("Nothing: the price passed both levels between two decisions.")
    for one in before:
        health = "" if one["health"] is None else f", health {one['health']:.4f}"
        said = (
            f"{CALLS[one['level']]} at {one['at']} UTC: equity {money(one['equity'])}, maintenance "
            f"margin {money(one['maintenance_margin'])}{health}."
        )
        if one["level"] != "CURED":
            said += f" A deposit of {money(one['top_up'])} would have cured it"
            said += f", until {one['deadline']} UTC." if one["deadline"] else "."
        yield Text(said)


def _why_then(made: Document, confirm_ticks: int) -> Text:
    before = made["before"]
    if before is None:
        return Text(
            "The prices that are kept do not tell when the bucket last met its margin; the order "
            "was sent with the first decision that confirmed the breach."
        )
    marks = ", ".join(f"{name} at {money(mark)}" for name, mark in before["marks"].items())
    return Text(
        f"Not earlier: at {before['at']} UTC, with {marks}, your equity of "
        f"{money(before['equity'])} still met the margin of {money(before['maintenance_margin'])}. "
        f"From {before['below_since']} UTC on it did not. Not later: a breach is confirmed by "
        f"{confirm_ticks} decisions in a row, so that a single price liquidates nobody; this one "
        f"was, {before['seconds_below']:.3f} s after it began. To wait longer would have put at "
        f"risk what was left, and after it the insurance fund."
    )


def _step(one: Document) -> Iterator[RenderableType]:
    verb = "sell" if one["side"] == "SELL" else "buy"
    limit = f"at {money(one['limit_price'])} or better" if one["limit_price"] else "at any price"
    said = f"{one['at']} UTC: {verb} {one['quantity']} {one['instrument_id']} {limit}"
    if one["bankruptcy_price"]:
        said += f"; at {money(one['bankruptcy_price'])} nothing of your equity would be left"
    yield Text(said + f" ({one['liquidation_id']}).")
    if not one["fills"]:
        yield Text("    Nobody traded at that price in time.", style="dim")
        return
    for fill in one["fills"]:
        penalty = f", penalty {money(fill['penalty'])}" if fill["penalty"] != "0" else ""
        yield Text(
            f"    Filled {fill['quantity']} at {money(fill['price'])}, fee {fill['fee']}{penalty} "
            f"({fill['at']} UTC, {fill['fill_id']}).",
            style="dim",
        )
    if one["filled"] != one["quantity"]:
        yield Text(f"    {one['filled']} of {one['quantity']} were filled.", style="dim")


def _takeover(one: Document, balances: Mapping[str, str]) -> Iterator[RenderableType]:
    yield Text(
        f"At {one['at']} UTC the insurance fund took the bucket over as it stood, worth "
        f"{money(one['equity'])}, in place of selling it into the market (transfer "
        f"{one['transfer_id']}). Nothing of it is left with you, and you owe nothing."
    )
    for position in one["positions"]:
        price = position["bankruptcy_price"]
        said = f"    {position['quantity']} {position['instrument_id']}"
        yield Text(said + (f", bankrupt at {money(price)}" if price else ""), style="dim")
    taken = ", ".join(f"{money(e8)} {asset}" for asset, e8 in one["balances"].items() if e8 != "0")
    if taken or balances:
        yield Text(f"    balances: {taken or 'on their way'}", style="dim")
    if one["then"]:
        yield Text("What the fund then did with what it held of these contracts, others' included:")
    for line in one["then"]:
        price = f" at {money(line['price'])}" if line["price"] else ""
        yield Text(
            f"    {line['at']} UTC {line['event'].lower()}: {line['quantity']} "
            f"{line['instrument_id']}{price}",
            style="dim",
        )


def _end(made: Document) -> Text:
    if made["takeover"]:
        return Text("With the takeover: the bucket is yours again, and empty.")
    if made["ended"]:
        return Text(f"At {made['ended']} UTC your margin was restored, and the liquidation over.")
    return Text("It has not ended yet.")


def _head(title: str) -> Text:
    return Text(f"\n{title}", style="bold")


def _table(first: str, *heads: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    table.add_column(first)
    for head in heads:
        table.add_column(head, justify="right")
    return table
