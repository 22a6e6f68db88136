"""The story of one liquidation, or of one moment, as values that are JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from risk.profile import Profile
from schemas.units import PPM, text
from streams.audit.account import AccountState
from streams.audit.minutes import clock
from streams.audit.moments import bucket_of
from streams.audit.outputs import Output
from streams.audit.rulebook import Record
from streams.run.answer.appraisal import Appraisal, appraise, kind_of
from streams.run.answer.evidence import Evidence
from streams.run.answer.marks import last_above

ORDERS = frozenset({"REDUCE", "TAKE_OVER"})
SHOWN = 12
"""So many lines of what became of a takeover."""
Document = dict[str, Any]


class UnknownLiquidationError(LookupError):
    """The account has no liquidation of that id."""


class Episode(NamedTuple):
    """One walk of a bucket down the ladder: its calls and liquidations in order."""

    bucket: str
    number: int
    decided: list[Output]

    @property
    def first_order(self) -> Output | None:
        orders = (one for one in self.decided if one.record.get("action") in ORDERS)
        return next(orders, None)


def episodes(evidence: Evidence) -> list[Episode]:
    """All of an account, the earliest first."""
    found: dict[tuple[str, int], Episode] = {}
    for one in evidence.decided:
        place = (one.record["bucket"], one.record["episode"])
        found.setdefault(place, Episode(*place, [])).decided.append(one)
    return list(found.values())


def chosen(evidence: Evidence, identity: str | None) -> Episode | None:
    """The episode of a liquidation or call; without an id the last one with an order, or None."""
    every = episodes(evidence)
    if identity is None:
        liquidated = [one for one in every if one.first_order]
        return liquidated[-1] if liquidated else None
    for episode in every:
        for one in episode.decided:
            if identity in (one.record.get("liquidation_id"), one.record.get("call_id")):
                return episode
    raise UnknownLiquidationError(
        f"{evidence.account} has no liquidation or call {identity!r} on the topics"
    )


def liquidation(evidence: Evidence, episode: Episode, profile: Profile) -> Document:
    """What led to the first order of an episode, what was done, and what became of it."""
    first = episode.first_order or episode.decided[0]
    state = evidence.before(first)
    told = first.record
    made = _standing(
        evidence,
        state,
        episode.bucket,
        profile,
        time_us=told["event_time"],
        marks=told["marks"],
    )
    orders = [one.record for one in episode.decided if "action" in one.record]
    return {
        "account_id": evidence.account,
        "bucket": episode.bucket,
        "episode": episode.number,
        "decided": clock(told["event_time"]),
        "action": told.get("action"),
        **made,
        "told": {"equity": text(told["equity_e8"]),
                 "maintenance_margin": text(told["maintenance_margin_e8"])},
        "before": last_above(evidence, state, episode.bucket, told),
        "calls": [_call(one.record) for one in episode.decided if "call_id" in one.record],
        "steps": [_step(evidence, one) for one in orders if one["action"] == "REDUCE"],
        "takeover": _takeover(evidence, orders),
        "ended": next(
            (clock(one["event_time"]) for one in orders if one["action"] == "COMPLETED"), None
        ),
    }  # fmt: skip


def moment(evidence: Evidence, profile: Profile, time_us: int) -> Document:
    """Where all buckets of an account stood at a time."""
    state = evidence.at(time_us)
    pools = {place[0] for place in (*state.balances, *state.positions)}
    past = [one.record for one in evidence.decided if one.record["event_time"] <= time_us]
    buckets = []
    for pool in sorted(pools):
        made = _standing(evidence, state, pool, profile, time_us=time_us)
        last = [one for one in past if one["bucket"] == pool][-1:]
        news = [one.get("level") or one["action"] for one in last]
        buckets.append({"bucket": pool, "last_news": news[0] if news else None, **made})
    return {"account_id": evidence.account, "at": clock(time_us), "buckets": buckets}


def _standing(
    evidence: Evidence,
    state: AccountState,
    bucket: str,
    profile: Profile,
    *,
    time_us: int,
    marks: Sequence[Record] = (),
) -> Document:
    """What a bucket held and was worth; the calculation step by step."""
    held = bucket_of(state, bucket)
    kind = kind_of(bucket, portfolio=evidence.is_portfolio(bucket))
    marks_e8 = {mark["instrument_id"]: mark["mark_e8"] for mark in marks}
    made = appraise(held, kind, evidence.rules, profile, time_us, marks_e8=marks_e8)
    guards = {mark["instrument_id"]: mark["guard"] for mark in marks}
    health = made.equity_e8 / made.maintenance_e8 if made.maintenance_e8 else None
    return {
        "equity": text(made.equity_e8),
        "maintenance_margin": text(made.maintenance_e8),
        "health": health,
        "balances": {asset: text(e8) for asset, e8 in held[0].items() if e8},
        "positions": [
            {**one, "guard": guards.get(one["instrument_id"])}
            for one in _positions(evidence, made, time_us)
        ],
        "calculation": [asdict(step) for step in made.steps],
    }


def _positions(evidence: Evidence, made: Appraisal, time_us: int) -> list[Document]:
    held, state = made.positions, made.evaluation.positions
    found = []
    for row, number in enumerate(held.instrument.tolist()):
        name = made.instruments[number]
        params = evidence.rules.params_at(name, time_us)
        found.append({
            "instrument_id": name,
            "quantity": text(held.quantity_e8[row]),
            "entry_price": _entry(evidence, name, int(held.quantity_e8[row]),
                                  int(held.cost_e8[row])),
            "mark": text(made.marks_e8[name]),
            "profit": text(state.profit_e8[row]),
            "settlement_asset": evidence.rules.contracts[name].settlement,
            "notional": text(state.notional_e8[row]),
            "maintenance_margin": text(state.maintenance_margin_e8[row]),
            "liquidation_price": None if made.prices[row] is None else f"{made.prices[row]:.10g}",
            "rules": _params(params, int(state.notional_e8[row])),
        })  # fmt: skip
    return found


def _entry(evidence: Evidence, name: str, quantity_e8: int, cost_e8: int) -> str | None:
    """The average price, from the cost; of inverse contracts the harmonic one."""
    contract = evidence.rules.contracts[name]
    contracts = quantity_e8 * contract.multiplier_e8
    if not contracts or not cost_e8:
        return None
    price = -contracts / cost_e8 / 1e8 if contract.inverse else cost_e8 * 1e8 / contracts
    return f"{price:.10g}"


def _params(params: Record | None, notional_e8: int) -> Document | None:
    """The tier that a notional is in, and what is multiplied with its rate."""
    if params is None or not params["tiers"]:
        return None
    reached = [tier for tier in params["tiers"] if tier["floor_e8"] <= notional_e8]
    tier = (reached or params["tiers"][:1])[-1]
    return {
        "version": params["version"],
        "since": clock(params["effective_at"]),
        "reason": params["reason"],
        "tier": params["tiers"].index(tier) + 1,
        "tier_from": text(tier["floor_e8"]),
        "maintenance_rate": tier["maintenance_ppm"] / PPM,
        "margin_scalar": params["margin_scalar_ppm"] / PPM,
    }


def _call(record: Record) -> Document:
    maintenance_e8 = record["maintenance_margin_e8"]
    return {
        "call_id": record["call_id"],
        "level": record["level"],
        "at": clock(record["event_time"]),
        "equity": text(record["equity_e8"]),
        "maintenance_margin": text(maintenance_e8),
        "health": record["equity_e8"] / maintenance_e8 if maintenance_e8 else None,
        "top_up": text(record["top_up_e8"]),
        "deadline": clock(record["deadline"]) if record["deadline"] else None,
    }


def _step(evidence: Evidence, record: Record) -> Document:
    """A liquidation order and what was filled of it."""
    fills = evidence.fills_of(record["liquidation_id"])
    filled_e8 = sum(one["quantity_e8"] for one in fills)
    return {
        "liquidation_id": record["liquidation_id"],
        "at": clock(record["event_time"]),
        "instrument_id": record["instrument_id"],
        "side": record["side"],
        "quantity": text(record["quantity_e8"]),
        "limit_price": _text(record["limit_price_e8"]),
        "bankruptcy_price": _text(record["bankruptcy_price_e8"]),
        "deadline": clock(record["deadline"]) if record["deadline"] else None,
        "equity": text(record["equity_e8"]),
        "maintenance_margin": text(record["maintenance_margin_e8"]),
        "filled": text(filled_e8),
        "fills": [
            {
                "fill_id": one["fill_id"],
                "at": clock(one["event_time"]),
                "quantity": text(one["quantity_e8"]),
                "price": text(one["price_e8"]),
                "fee": f"{text(one['fee_e8'])} {one['fee_asset']}",
                "penalty": text(one.get("penalty_e8", 0)),
            }
            for one in fills
        ],
    }


def _takeover(evidence: Evidence, orders: Sequence[Record]) -> Document | None:
    """What the funds took, and what they then told of it."""
    taken = [one for one in orders if one["action"] == "TAKE_OVER"]
    if not taken:
        return None
    identity = taken[0]["liquidation_id"]
    legs = [
        leg for leg in evidence.legs
        if leg["transfer_id"] == identity and leg["account_id"] == evidence.account
    ]  # fmt: skip
    names = {one["instrument_id"] for one in taken}
    time_us = taken[0]["event_time"]
    return {
        "transfer_id": identity,
        "at": clock(time_us),
        "equity": text(taken[0]["equity_e8"]),
        "positions": [
            {
                "instrument_id": one["instrument_id"],
                "side": one["side"],
                "quantity": text(one["quantity_e8"]),
                "bankruptcy_price": _text(one["bankruptcy_price_e8"]),
            }
            for one in taken
            if one["instrument_id"]
        ],
        "balances": {leg["asset"]: text(-leg["amount_e8"]) for leg in legs if leg["asset"]},
        "then": _shed(evidence, names, time_us),
    }


def _shed(evidence: Evidence, names: set[str], since_us: int) -> list[Document]:
    """What the funds did with what they held of these instruments, one line a decision."""
    found = []
    for one in evidence.shed:
        if one["instrument_id"] not in names or one["event_time"] < since_us:
            continue
        line = {"at": clock(one["event_time"]), "instrument_id": one["instrument_id"]}
        if one.get("auction_id"):
            price_e8 = one["price_e8"] or one["opening_price_e8"]
            quantity_e8 = one["award_e8"] or one["quantity_e8"]
            found.append({**line, "event": f"AUCTION {one['event']}",
                          "quantity": text(quantity_e8), "price": text(price_e8)})  # fmt: skip
        elif one["action"] == "DELEVERAGE":
            found.append({**line, "event": "HANDED TO WINNERS",
                          "quantity": text(one["quantity_e8"]), "price": None})  # fmt: skip
    return sorted(found, key=lambda line: str(line["at"]))[:SHOWN]


def _text(amount_e8: int | None) -> str | None:
    return None if amount_e8 is None else text(amount_e8)
