"""Mango v4: health of a cross account, its partial liquidation, and the split of a loss.

The weights of its tokens are 1 where a case names none.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from risk.liquidation.bankruptcy import Fund, Loss, split
from risk.liquidation.restoring import Holding, Perpetual, Token, restored
from risk.margin.health import (
    Crowding,
    Kind,
    Perpetuals,
    ReservedFunds,
    TokenBalances,
    Weights,
    health,
    weighing,
)

HALF_A_UNIT = 0.5  # what health may lack and still count as restored
LEGS = ("base", "quote")
KINDS = {
    "init_health": (Kind.INITIAL, "init"),
    "liq_end_health": (Kind.LIQUIDATION_END, "init"),
    "maint_health": (Kind.MAINTENANCE, "maint"),
}


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs, expected = case["inputs"], case["expected"]
    if "max_base" in inputs:
        return _liquidation(inputs)
    if "max_liab_transfer" in inputs:
        return _bankruptcy(inputs)
    asked = [name for name in KINDS if name in expected]
    if not asked:
        return None
    return {name: _health(inputs, *KINDS[name]) for name in asked}


def _liquidation(inputs: dict[str, Any]) -> dict[str, Any]:
    """A lot is a unit; all prices are one."""
    price = inputs["prices"]
    left = restored(
        Holding(inputs["settle_token"], inputs["perp_base"], inputs["perp_quote"]),
        inputs["other_token"] * price,
        token=Token(price, price),
        perpetual=Perpetual(
            price,
            inputs["base_asset_weight"],
            inputs["base_liab_weight"],
            inputs["overall_asset_weight"],
            settlement_fee=inputs["positive_pnl_liq_fee"],
        ),
        most_lots=inputs["max_base"],
        most_settled=inputs["max_pnl"],
        slack=HALF_A_UNIT,
    )
    return {"settle_token": left.balance, "perp_base": left.lots, "perp_quote": left.quote}


def _bankruptcy(inputs: dict[str, Any]) -> dict[str, Any]:
    """Their accounts at the end, from who bore what."""
    price, balance, pnl = inputs["settle_price"], inputs["settle_token"], inputs["perp_pnl"]
    token = Token(price * inputs["settle_asset_weight"], price * inputs["settle_liab_weight"])
    fund = Fund(inputs["insurance_fund"], inputs["insurance_price"] / price)
    try:
        loss = Loss(-pnl, inputs["settle_limit"], inputs["max_liab_transfer"])
        borne = split(loss, balance, inputs["other_health"], token, fund)
    except ValueError:
        return {"success": False}
    return {
        "success": True,
        "liqee_settle_token": balance - borne.settled,
        "liqee_perp": pnl + borne.settled + borne.insured + borne.socialised,
        "liqor_settle_token": borne.settled,
        "liqor_perp": -borne.settled - borne.insured,
        "liqor_insurance": float(borne.units),
        "socialized_loss": borne.socialised,
    }


def _health(inputs: dict[str, Any], kind: Kind, side: str) -> float:
    tokens, markets = inputs["tokens"], inputs.get("spot_orders") or []
    row = {token["token"]: at for at, token in enumerate(tokens)}
    perpetuals = [inputs["perp"]] if inputs.get("perp") else []
    names = [token["token"] for token in tokens]
    free = [(market[leg], market.get(f"free_{leg}", 0)) for market in markets for leg in LEGS]
    names += [name for name, _ in free]
    amounts = [token["balance"] for token in tokens] + [amount for _, amount in free]
    reserved = ReservedFunds(
        _rows([0] * len(markets)),
        _rows([row[market["base"]] for market in markets]),
        _rows([row[market["quote"]] for market in markets]),
        _column(markets, "reserved_base"),
        _column(markets, "reserved_quote"),
    )
    weights = weighing(_weights(tokens, side, ""), kind, _crowding(inputs.get("weight_scaling")))
    found = health(
        TokenBalances(
            _rows([0] * len(names)), _rows([row[name] for name in names]), _floats(amounts)
        ),
        _perpetuals(perpetuals, kind, side, row),
        reserved,
        weights,
        1,
    )
    return float(found[0])


def _perpetuals(
    held: list[dict[str, Any]], kind: Kind, side: str, row: dict[str, int]
) -> Perpetuals:
    """Lots become units; fills not processed yet are part of the position."""
    lots = _column(held, "base_lot", 1)
    return Perpetuals(
        _rows([0] * len(held)),
        _rows([row[one["settle_token"]] for one in held]),
        (_column(held, "base_lots") + _column(held, "taker_base_lots")) * lots,
        _column(held, "quote") + _column(held, "taker_quote"),
        _column(held, "bids_lots") * lots,
        _column(held, "asks_lots") * lots,
        weighing(_weights(held, side, "_base"), kind),
        _column(held, f"overall_asset_weight_{side}", 1),
    )


def _weights(rows: list[dict[str, Any]], side: str, leg: str) -> Weights:
    """The one pair of weights a case gives, under both names; without a stable price the plain."""
    price = _column(rows, "price")
    asset, liability = _column(rows, f"{side}{leg}_asset"), _column(rows, f"{side}{leg}_liab")
    stable = _floats([one.get("stable_price", one["price"]) for one in rows])
    return Weights(price, stable, asset, liability, asset, liability)


def _crowding(rows: list[dict[str, Any]] | None) -> Crowding | None:
    if rows is None:
        return None
    return Crowding(
        _column(rows, "deposits") + _column(rows, "potential"),
        _column(rows, "dep_start", np.inf),
        _column(rows, "borrows"),
        _column(rows, "bor_start", np.inf),
    )


def _column(rows: list[dict[str, Any]], name: str, missing: float = 0) -> np.ndarray:
    return _floats([one.get(name, missing) for one in rows])


def _floats(values: Sequence[float]) -> np.ndarray:
    return np.array(values, np.float64)


def _rows(values: Sequence[int]) -> np.ndarray:
    return np.array(values, np.int64)
