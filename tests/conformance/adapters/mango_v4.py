"""Mango v4: health of a cross account with tokens, one perpetual and spot order funds."""

from collections.abc import Sequence
from typing import Any

import numpy as np

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

LEGS = ("base", "quote")
KINDS = {
    "init_health": (Kind.INITIAL, "init"),
    "liq_end_health": (Kind.LIQUIDATION_END, "init"),
    "maint_health": (Kind.MAINTENANCE, "maint"),
}


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs, expected = case["inputs"], case["expected"]
    asked = [name for name in KINDS if name in expected]
    if not asked:
        return None
    return {name: _health(inputs, *KINDS[name]) for name in asked}


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
