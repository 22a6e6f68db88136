"""Vega: risk factors, margin levels and transfers between them, isolated margin, losses shared.

Its amounts and prices are whole units of the smallest kind, as our 1e-8 are.
"""

from typing import Any

import numpy as np

from risk.liquidation.socialising import settle_e8
from risk.margin import levels, orders
from risk.margin.levels import MarginLevels, RiskFactors, Scaling
from risk.margin.liquidation_price import maintenance_lines, position_prices
from risk.valuation import contract_value
from schemas.units import E8, multiply_e8
from tests.conformance.translate import amount, column, ppm

ALL_THERE_IS = 10**17


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs, expected = case["inputs"], case["expected"]
    by_input = {
        "risk_aversion_lambda": _risk_factors,
        "margin_funding_factor": _funding,
        "scaling": _levels,
        "initial_level": _transfer,
        "distribution_order": lambda _: _settlement(case),
    }
    by_expected = {
        "order_margin": _order_margin,
        "release": _decrease,
        "topup": _switch,
        "liquidation_price": _liquidation_price,
    }
    kinds = [kind for name, kind in by_input.items() if name in inputs]
    kinds += [kind for name, kind in by_expected.items() if name in expected]
    return kinds[0](inputs) if kinds else None


def _risk_factors(inputs: dict[str, Any]) -> dict[str, Any]:
    factors = levels.log_normal_factors(
        inputs["sigma"], inputs["tau_years"], inputs["risk_aversion_lambda"], drift=inputs["mu"]
    )
    return {"risk_factor_long": float(factors.long), "risk_factor_short": float(factors.short)}


def _factors(inputs: dict[str, Any]) -> RiskFactors:
    return RiskFactors(
        inputs["risk_factor_long"],
        inputs["risk_factor_short"],
        inputs["linear_slippage"],
        inputs["quadratic_slippage"],
    )


def _levels(inputs: dict[str, Any]) -> dict[str, Any]:
    maintenance = levels.maintenance_margin_e8(
        amount(inputs["open_volume"]),
        amount(inputs["buy_orders"]),
        amount(inputs["sell_orders"]),
        price_e8=column(inputs["mark_price"]),
        factors=_factors(inputs),
    )
    scaling = Scaling(*(ppm(inputs["scaling"][name]) for name in ("search", "initial", "release")))
    found = levels.scaled_levels(maintenance, scaling)
    return {
        "maintenance": int(found.maintenance_e8[0]),
        "search": int(found.search_e8[0]),
        "initial": int(found.initial_e8[0]),
        "release": int(found.release_e8[0]),
    }


def _funding(inputs: dict[str, Any]) -> dict[str, Any]:
    """The case asks for the payment and for its opposite."""

    def maintenance(payment: int) -> int:
        addition = levels.funding_addition_e8(
            amount(inputs["open_volume"]), column(payment), ppm(inputs["margin_funding_factor"])
        )
        return int(inputs["base_maintenance"] + addition[0])

    payment = inputs["funding_payment_per_unit"]
    return {"maintenance": maintenance(payment), "maintenance_if_negative": maintenance(-payment)}


def _order_margin(inputs: dict[str, Any]) -> dict[str, Any]:
    """A contract is 1 / position_factor of their unit, which the margin factor takes up."""
    sides = {1: inputs.get("buy_orders", []), -1: inputs.get("sell_orders", [])}
    rows = [(side, size, price) for side, book in sides.items() for size, price in book]
    least = inputs.get("auction_price")
    locked = orders.locked_margin_e8(
        orders.Orders(
            column(*[0] * len(rows)),
            column(*(side for side, _, _ in rows)),
            amount(*(size for _, size, _ in rows)),
            column(*(price for _, _, price in rows)),
        ),
        amount(inputs["position"]),
        column(ppm(inputs["margin_factor"] / inputs["position_factor"])),
        least_price_e8=None if least is None else column(least),
    )
    return {"order_margin": int(locked[0])}


def _decrease(inputs: dict[str, Any]) -> dict[str, Any]:
    """They take the size of a position without its sign, and prices as whole numbers."""
    before, after = abs(inputs["position_before"]), abs(inputs["position_after"])
    factor = inputs["position_factor"]
    released = levels.released_e8(
        column(inputs["margin_balance"]),
        amount(before / factor),
        amount((before - after) / factor),
        mark_e8=column(inputs["mark_price"]),
        trade_price_e8=column(int(inputs["trade_vwap"])),
    )
    return {"release": int(released[0])}


def _switch(inputs: dict[str, Any]) -> dict[str, Any]:
    cost, _ = contract_value(
        np.array([False]), amount(1), amount(inputs["position"]), column(inputs["entry_price"])
    )
    margin = levels.entry_margin_e8(cost, column(ppm(inputs["margin_factor"])))
    exact = MarginLevels(margin, margin, margin, margin)
    moved = levels.transfer_to_initial_e8(
        column(inputs["margin_balance"]), column(ALL_THERE_IS), exact
    )
    return {"topup": int(moved[0])}


def _transfer(inputs: dict[str, Any]) -> dict[str, Any]:
    """A balance outside its levels, which the case leaves out: all at the initial one."""
    initial = column(inputs["initial_level"])
    moved = levels.transfer_to_initial_e8(
        column(inputs["margin_balance"]),
        column(ALL_THERE_IS),
        MarginLevels(np.zeros_like(initial), initial, initial, initial),
    )
    return {"release_transfer": -int(moved[0]), "topup_transfer": int(moved[0])}


def _settlement(case: dict[str, Any]) -> dict[str, Any]:
    """Winners in the order of the distribution; of those that are asked for, what they lost of
    their gain, or what was paid for them."""
    inputs, name = case["inputs"], "change_vs_full_pnl_or_paid"
    winners = inputs["distribution_order"]
    parties = [one for one in inputs["mtm"] if one["party"] not in winners]
    parties += sorted(
        (one for one in inputs["mtm"] if one["party"] in winners),
        key=lambda one: winners.index(one["party"]),
    )
    profit = column(*(one["pnl"] for one in parties))
    settled = settle_e8(
        profit, column(*(one["funds"] for one in parties)), inputs["insurance_pool"]
    )
    lost = settled.received_e8 - profit.clip(min=0)
    changes = dict(
        zip(
            (one["party"] for one in parties),
            (lost - settled.paid_e8 - settled.covered_e8).tolist(),
            strict=True,
        )
    )
    return {
        name: {party: changes[party] for party in case["expected"].get(name, {})},
        "insurance_pool_after": inputs["insurance_pool"] - int(settled.covered_e8.sum()),
    }


def _liquidation_price(inputs: dict[str, Any]) -> dict[str, Any]:
    """Of the open volume; their 0 is where no price is low enough."""
    volume = np.array([inputs["open_volume"]], np.float64)
    rate = levels.maintenance_rate(volume, _factors(inputs))
    funding, _ = multiply_e8(
        amount(inputs["open_volume"]), amount(inputs.get("funding_payment_per_unit", 0))
    )
    mark = np.array([inputs["mark_price"]], np.float64)
    found = position_prices(
        volume,
        mark,
        np.array([inputs["collateral"]], np.float64),
        maintenance_lines([0.0], rate, [0.0]),
        other_maintenance=funding.clip(min=0) / E8,
    )
    return {"liquidation_price": float(np.nan_to_num(found.nearest(mark)[0]))}
