"""Exchanges as freqtrade restates them: liquidation prices, tiers, leverage, funding."""

from datetime import datetime
from typing import Any

import numpy as np

from risk.funding import paid_while_open, payments
from risk.holdings import Balances, Positions, StepTable, Tiers
from risk.margin.boundary import Lines
from risk.margin.buckets import evaluate
from risk.margin.leverage import largest_leverage
from risk.margin.liquidation_price import (
    maintenance_lines,
    maintenance_margin,
    position_prices,
    warning_price,
)
from risk.margin.steps import level
from risk.tables import PPB
from risk.valuation import contract_value
from schemas.units import E8, PPM, e8_nearest
from tests.conformance.translate import amount, column, linear_rules, number, ppm

SIDE = {"long": 1, "short": -1}
FUNDS = ("wallet_balance", "collateral", "account_value")
DEDUCTING = {"binance"}  # subtract the maintenance amount
WITH_FEE = {"gate", "okx"}  # add the taker fee to the rate
AT_ENTRY = {"bybit"}  # take margin and maintenance on the value at entry


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs, expected = case["inputs"], case["expected"]
    if "buffered_liquidation_price" in expected:
        return _warning(inputs)
    if "liquidation_price" in expected:
        return _liquidation(inputs)
    if "maint_amount" in expected:
        return _tier(inputs)
    if "max_leverage" in expected:
        return _leverage(inputs)
    if "funding_to_position" in expected:
        return _funding(inputs)
    return None


def _liquidation(inputs: dict[str, Any]) -> dict[str, Any] | None:
    own, venue = inputs.get("position", inputs), inputs["venue"]
    funds = [inputs[name] for name in FUNDS if name in inputs]
    if not funds:
        return None
    equity, notional = _at_entry(inputs, own, funds[0])
    if venue in AT_ENTRY:
        by_leverage = maintenance_lines([0], [1 / own["leverage"]], [0])
        equity = maintenance_margin(notional[:1], by_leverage)
    others = [
        maintenance_margin(notional[row : row + 1], _tier_lines(other, venue))
        for row, other in enumerate(inputs.get("other_positions", []), start=1)
    ]
    entry = np.array([float(own["entry_price"])])
    found = position_prices(
        np.array([SIDE[own["side"]] * _size(own)]),
        entry,
        equity,
        _tier_lines(own, venue, fee=inputs.get("taker_fee", 0)),
        other_maintenance=np.sum(others, axis=0) if others else 0.0,
        at_present_notional=venue in AT_ENTRY,
    )
    return {"liquidation_price": float(found.nearest(entry)[0])}


def _at_entry(
    inputs: dict[str, Any], own: dict[str, Any], funds: float
) -> tuple[np.ndarray, np.ndarray]:
    """Equity with the own position at its entry price, and all notionals, the own one first."""
    held = [{**own, "mark_price": own["entry_price"]}, *inputs.get("other_positions", [])]
    row = np.arange(len(held))
    rules = linear_rules(Tiers.of([[] for _ in held], [PPM] * len(held)))
    size = amount(*(SIDE[one["side"]] * _size(one) for one in held))
    entry, mark = (amount(*(one[name] for one in held)) for name in ("entry_price", "mark_price"))
    cost, _ = contract_value(np.zeros(len(held), np.bool_), amount(1)[row * 0], size, entry)
    positions = Positions(row * 0, row, size, cost)
    wallet = Balances(column(0), column(0), amount(funds))
    margin, state = evaluate(positions, wallet, mark, rules, 1)
    return margin.equity_e8 / E8, state.notional_e8 / E8


def _size(position: dict[str, Any]) -> float:
    return float(position["amount"] if "amount" in position else position["size"])


def _tier_lines(position: dict[str, Any], venue: str, *, fee: float = 0) -> Lines:
    """The one tier that a case gives; Hyperliquid requires half of what the leverage allows."""
    if "asset_max_leverage" in position:
        return maintenance_lines([0], [0.5 / position["asset_max_leverage"]], [0])
    name = "maint_amount" if "maint_amount" in position else "maint_amount_cum"
    deduction = position[name] if venue in DEDUCTING else 0
    charged = fee if venue in WITH_FEE else 0
    return maintenance_lines([0], [position["mmr"]], [deduction], fee=charged)


def _warning(inputs: dict[str, Any]) -> dict[str, Any]:
    price = warning_price(
        np.array([inputs["entry_price"]]),
        np.array([inputs["liquidation_price"]]),
        column(SIDE[inputs["side"]]),
        inputs["buffer_fraction"],
    )
    return {"buffered_liquidation_price": float(price[0])}


def _tier(inputs: dict[str, Any]) -> dict[str, Any]:
    """Exchanges without a maintenance amount let the tier's rate price the whole position."""
    given = inputs["tiers"]
    deducting = given[0].get("maintAmt") is not None
    rate = "mmr" if "mmr" in given[0] else "maintenanceMarginRate"
    rates = [row[rate] for row in given]
    floors = [e8_nearest(row["minNotional"]) for row in given]
    table = StepTable.of([[(f, ppm(r)) for f, r in zip(floors, rates, strict=True)]])
    tier = int(level(amount(inputs["notional"]), column(0), table)[0])
    return {
        "mmr": float(table.rate_ppb[0, tier] / PPB),
        "maint_amount": number(table.cum_e8[0, tier]) if deducting else None,
    }


def _leverage(inputs: dict[str, Any]) -> dict[str, Any]:
    tiers = inputs["tiers"]
    ceiling, leverage = (
        np.array([float(row[name]) for row in tiers]) for name in ("maxNotional", "maxLeverage")
    )
    return {
        "max_leverage": float(
            largest_leverage(np.array([float(inputs["stake"])]), ceiling, leverage)[0]
        )
    }


def _funding(inputs: dict[str, Any]) -> dict[str, Any]:
    """What a position receives is what it pays with the other sign."""
    stamps = inputs.get("intervals") or [
        {"t": "1970-01-01T00:00Z", "mark": inputs["mark_price"], "rate": inputs["funding_rate"]}
    ]
    size = SIDE[inputs["side"]] * float(inputs["amount"])
    marks = amount(*(stamp["mark"] for stamp in stamps))
    many = np.ones(len(stamps), np.int64)
    value, _ = contract_value(many == 0, many * E8, many * e8_nearest(size), marks)
    due = payments(np.array([size]), value / E8, np.array([stamp["rate"] for stamp in stamps]))
    received = paid_while_open(
        -due[None, :],
        column(*(_us(stamp["t"]) for stamp in stamps)),
        column(_us(inputs.get("opened", stamps[0]["t"]))),
        column(_us(inputs.get("closed", stamps[-1]["t"]))),
    )
    return {"funding_to_position": float(received[0])}


def _us(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp()) * 1_000_000
