"""Margin calls and liquidations beside what their bucket was worth at that moment."""

from collections.abc import Iterator

import numpy as np

from risk.liquidation.stages import Ladder, health_level
from schemas.units import US_PER_MS
from streams.processors.fund_view import FundView
from streams.processors.margin import Evaluated
from streams.run.verify.differences import of_bucket, said
from streams.run.verify.mirror import Mirror, Record
from streams.state.guards import Guard, Use, allowed

LEVELS = ("equity_e8", "initial_margin_e8", "maintenance_margin_e8")
CLOSED = dict.fromkeys(LEVELS, 0)
"""A bucket that a margin state leaves out: an isolated one in which nothing is left."""
OF_FUNDS = frozenset({"AUCTION", "DELEVERAGE"})
"""Actions on `liquidations` by which an insurance fund tells what it sheds."""
LIQUIDATES = frozenset({"CANCEL_ORDERS", "REDUCE", "TAKE_OVER"})


def judge(mirror: Mirror, told: Record, state: Record, ladder: Ladder) -> Iterator[str]:
    """What differs in a margin call or a liquidation.

    `state` is the margin state of its account computed anew; the mirror holds the account.
    """
    pool, account = told["bucket"], told["account_id"]
    if told.get("action") in OF_FUNDS:
        view = mirror.fund(account)
        if view is None:
            yield said(f"whether {account} is a fund", True, False)
        else:
            yield from of_bucket(told, _levels(view), LEVELS, pool)
        yield from _marks(mirror, told, None)
        return
    bucket = _bucket(state, pool)
    yield from of_bucket(told, bucket, LEVELS, pool)
    evaluated = mirror.evaluated(account, pool)
    yield from _marks(mirror, told, evaluated)
    if "call_id" in told:
        yield from _call(told, bucket, ladder)
    else:
        yield from _order(mirror, told, (evaluated, bucket), ladder)


def levels_fit(mirror: Mirror, told: Record, state: Record) -> bool:
    """Whether a margin state of the account gives the levels that a record tells."""
    pool = told["bucket"]
    if told.get("action") in OF_FUNDS:
        view = mirror.fund(told["account_id"])
        return view is not None and not any(of_bucket(told, _levels(view), LEVELS, pool))
    return not any(of_bucket(told, _bucket(state, pool), LEVELS, pool))


def _bucket(state: Record, pool: str) -> Record:
    return next((one for one in state["buckets"] if one["bucket"] == pool), CLOSED)


def _levels(view: FundView) -> Record:
    return {
        "equity_e8": view.equity_e8,
        "initial_margin_e8": view.initial_margin_e8,
        "maintenance_margin_e8": view.margin_e8,
    }


def _marks(mirror: Mirror, told: Record, evaluated: Evaluated | None) -> Iterator[str]:
    """Marks and guards beside the prices; of a bucket of people also whether all are told."""
    guards, number = mirror.board.guards(), mirror.rules.number
    for mark in told["marks"]:
        name = mark["instrument_id"]
        mark_e8 = int(mirror.board.mark_e8[number[name]])
        if mark["mark_e8"] != mark_e8:
            yield said(f"mark of {name}", mark["mark_e8"], mark_e8)
        guard = Guard(int(guards[number[name]])).name
        if mark["guard"] != guard:
            yield said(f"guard of {name}", mark["guard"], guard)
    if evaluated is not None:
        held = evaluated.positions.instrument
        rests_on = {*held.tolist(), *mirror.rules.terms.underlying[held].tolist()}
        names = {mirror.rules.instruments[one] for one in rests_on}
        for name in sorted(names ^ {mark["instrument_id"] for mark in told["marks"]}):
            yield said(f"whether it holds {name}", name not in names, name in names)


def _call(told: Record, bucket: Record, ladder: Ladder) -> Iterator[str]:
    equity_e8, margin_e8 = bucket["equity_e8"], bucket["maintenance_margin_e8"]
    cure_ppm, level = ladder.cure_margin_ppm, told["level"]
    expected = {
        "shortfall_initial_e8": max(bucket["initial_margin_e8"] - equity_e8, 0),
        "shortfall_maintenance_e8": max(margin_e8 - equity_e8, 0),
        "top_up_e8": max(_at(margin_e8, ladder.warning_health_ppm + cure_ppm) - equity_e8, 0),
    }
    yield from of_bucket(told, expected, tuple(expected), told["bucket"])
    if level == "CALL" and told["deadline"] != told["event_time"] + ladder.call_ms * US_PER_MS:
        yield f"its deadline is not {ladder.call_ms} ms after it"
    bounds = {
        "WARNING": ladder.warning_health_ppm,
        "CALL": ladder.call_health_ppm,
        "ESCALATED": ladder.call_health_ppm + cure_ppm,
    }
    if level in bounds and equity_e8 >= _at(margin_e8, bounds[level]):
        yield f"{level} although its health is {bounds[level] / 1e6:g} or more"
    cured_ppm = min(ladder.end_health_ppm, ladder.call_health_ppm + cure_ppm)
    if level == "CURED" and margin_e8 and equity_e8 < _at(margin_e8, cured_ppm):
        yield f"CURED although its health is below {cured_ppm / 1e6:g}"


def _order(
    mirror: Mirror, told: Record, of: tuple[Evaluated, Record], ladder: Ladder
) -> Iterator[str]:
    """A step of the ladder: below the margin, on marks that allow it, at prices that follow."""
    evaluated, bucket = of
    equity_e8, margin_e8 = bucket["equity_e8"], bucket["maintenance_margin_e8"]
    action, end_e8 = told["action"], _at(margin_e8, ladder.end_health_ppm)
    if action == "CANCEL_ORDERS" and equity_e8 >= margin_e8:
        yield "liquidation begins although the maintenance margin is met"
    if action in ("REDUCE", "TAKE_OVER") and equity_e8 >= end_e8:
        yield f"{action} although its health is {ladder.end_health_ppm / 1e6:g} or more"
    if action == "COMPLETED" and margin_e8 and equity_e8 < end_e8:
        yield f"COMPLETED although its health is below {ladder.end_health_ppm / 1e6:g}"
    if action in LIQUIDATES and not allowed(Use.LIQUIDATE, evaluated.guard)[0]:
        yield f"{action} on a mark that is {Guard(int(evaluated.guard[0])).name}"
    if action not in ("REDUCE", "TAKE_OVER") or told["instrument_id"] is None:
        return
    if action == "REDUCE" and told["deadline"] != told["event_time"] + ladder.step_ms * US_PER_MS:
        yield f"its deadline is not {ladder.step_ms} ms after it"
    yield from _closing(mirror, told, evaluated, ladder)


def _closing(mirror: Mirror, told: Record, evaluated: Evaluated, ladder: Ladder) -> Iterator[str]:
    """The position that an order closes, and the prices it may be closed at."""
    name = told["instrument_id"]
    rows = np.flatnonzero(evaluated.positions.instrument == mirror.rules.number[name])
    if not len(rows):
        yield f"it closes {name}, of which nothing is held"
        return
    held_e8 = int(evaluated.positions.quantity_e8[rows[0]])
    side = "SELL" if held_e8 > 0 else "BUY"
    if told["side"] != side:
        yield said(f"side of {name}", told["side"], side)
    whole = told["action"] == "TAKE_OVER"
    if told["quantity_e8"] > abs(held_e8) or (whole and told["quantity_e8"] != abs(held_e8)):
        yield said(f"quantity of {name}", told["quantity_e8"], abs(held_e8))
    urgencies = [step / ladder.max_steps for step in range(1, ladder.max_steps + 1)]
    prices = [mirror.prices(evaluated, rows[:1], urgency) for urgency in urgencies]
    bankruptcy_e8 = prices[0][1]
    if (told["bankruptcy_price_e8"] or 0) != bankruptcy_e8:
        yield said(f"bankruptcy price of {name}", told["bankruptcy_price_e8"], bankruptcy_e8)
    found = [limit for limit, _ in prices]
    if not whole and (told["limit_price_e8"] or 0) not in found:
        yield said(f"limit price of {name}", told["limit_price_e8"], min(found, key=lambda one:
                   abs(one - (told["limit_price_e8"] or 0))))  # fmt: skip


def _at(margin_e8: int, health_ppm: int) -> int:
    return int(health_level(np.array([margin_e8]), health_ppm)[0])
