"""What an account had to give as a winner: deleveraging and socialised losses, with the reasons."""

from collections.abc import Iterator
from typing import Any

from schemas.units import text
from streams.audit.account import value_e8
from streams.audit.minutes import clock
from streams.audit.rulebook import Record
from streams.run.answer.evidence import Evidence

Document = dict[str, Any]


def taken(evidence: Evidence) -> list[Document]:
    """Each transfer that took contracts or gains of the account for others' losses."""
    refused = {
        step.record["transfer_id"]
        for step in evidence.history
        if step.topic == "transfers" and step.record.get("refused")
    }
    return [
        one
        for leg in evidence.legs
        if leg["account_id"] == evidence.account and leg["transfer_id"] not in refused
        for one in _one(evidence, leg)
    ]


def _one(evidence: Evidence, leg: Record) -> Iterator[Document]:
    head = {"transfer_id": leg["transfer_id"], "at": clock(leg["event_time"]), "kind": leg["kind"]}
    if leg["kind"] == "DELEVERAGE":
        yield {**head, **_deleveraged(evidence, leg)}
    elif leg["kind"] == "SOCIALISED_LOSS" and leg["instrument_id"] is not None:
        name, amount = leg["instrument_id"], text(leg["cost_e8"])
        asset = evidence.rules.contracts[name].settlement
        yield {
            **head,
            "instrument_id": name,
            "amount": amount,
            "asset": asset,
            "sentence": f"{head['at']} UTC: {amount} {asset} of your gain on {name}. The insurance "
            "fund had nothing left to cover a bankrupt account, and nobody could take its "
            "positions: all who had gained in that asset gave the same part of their gain.",
        }


def _deleveraged(evidence: Evidence, leg: Record) -> Document:
    """The rank and the score with which the account stood, and the price that it was closed at."""
    request = leg["transfer_id"].rpartition("/")[0]
    answers = [one for one in evidence.answers if one["request_id"] == request]
    candidates = sorted(
        (one for answer in answers for one in answer["candidates"]),
        key=lambda one: (-one["score"], f"{one['account_id']}/{one['bucket']}"),
    )
    ranks = [n for n, one in enumerate(candidates, 1) if _place(one) == _place(leg)]
    contract = evidence.rules.contracts[leg["instrument_id"]]
    units = leg["quantity_e8"] * contract.multiplier_e8
    price = -units / leg["cost_e8"] if contract.inverse else leg["cost_e8"] * 1e8 * 1e8 / units
    price = price / 1e8
    quantity = text(abs(leg["quantity_e8"]))
    rank = f"{ranks[0]} of {len(candidates)}" if ranks else "unknown"
    score = f"{candidates[ranks[0] - 1]['score']:.4g}" if ranks else "unknown"
    given, mark = _given(evidence, request, leg)
    lost = f"you gave up {given} of your gain, which the bankrupt account lacked"
    if given == "0":
        lost = "all of your gain on it is yours"
    return {
        "instrument_id": leg["instrument_id"],
        "quantity": quantity,
        "mark": mark,
        "given": given,
        "price": f"{price:.10g}",
        "rank": ranks[0] if ranks else None,
        "candidates": len(candidates),
        "score": candidates[ranks[0] - 1]["score"] if ranks else None,
        "sentence": f"{clock(leg['event_time'])} UTC: {quantity} {leg['instrument_id']} of yours "
        f"were closed at {price:,.8g}, with the mark at {mark}: {lost}. "
        "The insurance fund could not carry its position. Your rank among those who had gained "
        f"was {rank}, by a score of {score}: return on cost, times the leverage of your whole "
        "account.",
    }


def _given(evidence: Evidence, request: str, leg: Record) -> tuple[str, str]:
    """What the leg cost more than its value at the mark of that decision, and the mark."""
    order = next((one for one in evidence.shed if one.get("liquidation_id") == request), None)
    marks = {mark["instrument_id"]: mark["mark_e8"] for mark in order["marks"]} if order else {}
    mark_e8 = marks.get(leg["instrument_id"])
    if mark_e8 is None:
        return "an unknown part", "an unknown price"
    contract = evidence.rules.contracts[leg["instrument_id"]]
    return text(leg["cost_e8"] - value_e8(contract, leg["quantity_e8"], mark_e8)), text(mark_e8)


def _place(one: Record) -> tuple[str, str]:
    return one["account_id"], one["bucket"]
