"""Hands what an insurance fund cannot carry to winners, and shares the loss that is left."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from risk.liquidation.deleveraging import concessions_e8, order, take_e8
from risk.liquidation.socialising import shares_e8
from streams.processors.fund_records import cause
from streams.processors.fund_records import order as order_record
from streams.processors.fund_view import FundView, Holding, value_e8
from streams.processors.outputs import Output
from streams.processors.transfers import Leg, transfer
from streams.state.apply_transfers import SOCIALISED
from streams.state.funds import Request
from streams.state.ledger import Ledger

Record = dict[str, Any]


def hand_over(
    ledger: Ledger,
    view: FundView,
    request: Request,
    wanted: tuple[Holding, int, int],
    *,
    answers: Sequence[Record],
    now_us: int,
) -> list[Output]:
    """Transfers of a position to the winners that rank highest, and of their gain for the deficit.

    `wanted` are the position, the contracts to hand over and the deficit of the fund to be covered
    with them. A winner takes over contracts at the mark, less what it gives up of its own gain on
    them; together not a unit more than the deficit. Nothing where nobody can take any.
    """
    holding, contracts_e8, deficit_e8 = wanted
    ranked = _ranked(ledger, holding, answers)
    if not ranked:
        return []
    taken_e8 = take_e8(np.array([abs(one["quantity_e8"]) for one in ranked]), contracts_e8)
    room_e8 = [_gain(ledger, holding, one, taken) for one, taken in _pairs(ranked, taken_e8)]
    given_e8 = concessions_e8(taken_e8, np.array(room_e8), deficit_e8)
    sign = 1 if holding.quantity_e8 > 0 else -1
    about = (request.request_id, int(request.request_id.rpartition("/")[2]), int(taken_e8.sum()))
    outputs = [order_record(view, holding, "DELEVERAGE", about, now_us)]
    for number, (one, taken) in enumerate(_pairs(ranked, taken_e8)):
        if taken:
            value = value_e8(ledger, holding.number, sign * taken, holding.mark_e8)
            there = Leg(
                one["account_id"],
                one["bucket"],
                instrument_id=holding.instrument,
                quantity_e8=sign * taken,
                cost_e8=value + int(given_e8[number]),
            )
            legs = [there.to(view.account_id), there]
            name = f"{request.request_id}/{number}"
            outputs += transfer(ledger, cause(view, "DELEVERAGE", now_us), name, legs)
    return outputs


def socialise(
    ledger: Ledger,
    view: FundView,
    request: Request,
    deficit_e8: int,
    *,
    answers: Sequence[Record],
    now_us: int,
) -> list[Output]:
    """One transfer that makes the fund whole by the winners of every partition, by their gains.

    Each partition's slice goes below zero by its part, and shares it among its own winners.
    """
    told = sorted(answers, key=lambda one: one["partition"])
    parts_e8 = shares_e8(np.array([one["gain_e8"] for one in told], np.int64), deficit_e8)
    legs = [
        Leg(f"@{SOCIALISED}:{view.asset}#{one['partition']}", asset=view.asset, amount_e8=-part)
        for one, part in zip(told, parts_e8.tolist(), strict=True)
        if part
    ]
    if not legs:
        return []
    total_e8 = -sum(leg.amount_e8 for leg in legs)
    legs.insert(0, Leg(view.account_id, asset=view.asset, amount_e8=total_e8))
    return transfer(ledger, cause(view, "SOCIALISED_LOSS", now_us), request.request_id, legs)


def _ranked(ledger: Ledger, holding: Holding, answers: Sequence[Record]) -> list[Record]:
    """The candidates of all partitions that still gain at the mark, best first."""
    told = [
        one
        for record in answers
        for one in record["candidates"]
        if one["quantity_e8"] * holding.quantity_e8 < 0
        and _gain(ledger, holding, one, abs(one["quantity_e8"])) > 0
    ]
    names = [f"{one['account_id']}/{one['bucket']}" for one in told]
    ranks = order(np.array([one["score"] for one in told], np.float64), names)
    return [told[place] for place in ranks.tolist()]


def _gain(ledger: Ledger, holding: Holding, one: Record, taken_e8: int) -> int:
    """What a candidate gains at the mark on that much of its position, rounded down."""
    quantity_e8 = one["quantity_e8"]
    whole = value_e8(ledger, holding.number, quantity_e8, holding.mark_e8) - one["cost_e8"]
    return int(whole * taken_e8 // abs(quantity_e8))


def _pairs(ranked: list[Record], taken_e8: Any) -> Iterator[tuple[Record, int]]:
    return zip(ranked, taken_e8.tolist(), strict=True)
