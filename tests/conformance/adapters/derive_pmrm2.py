"""Derive's portfolio margin, version 2: scenario profits, discounts and margins of an account."""

import tomllib
from pathlib import Path
from typing import Any

import numpy as np

import risk.scenarios
from risk.margin.expiry_margin import (
    NO_EXPIRY,
    ExpiryBook,
    ExpiryMargin,
    ExpiryRule,
    expiry_margin,
    static_discounts,
)
from risk.scenarios.grid import Kind, ScenarioSet
from risk.scenarios.shock import PricedContracts, tenor_multipliers
from risk.valuation import sum_by
from tests.conformance.translate import amount, number

PRESET = Path(risk.scenarios.__path__[0]) / "sets" / "derive-pmrm2.toml"
SETTLEMENT_S = tomllib.loads(PRESET.read_text(encoding="utf-8"))["expiry_margin"]["settlement_s"]
YEAR_S = 365 * 86_400
VOLATILITY = {"Up": "up", "Down": "down", "None": "none", "LINEAR": "linear", "ABS": "absolute"}
NOTHING: dict[str, Any] = {
    "forward": 0.0,
    "side": 0,
    "strike": 0.0,
    "years": 0.0,
    "volatility": 0.0,
    "expiry": NO_EXPIRY,
    "rate": 0.0,
    "confidence": 1.0,
    "spot": 0.0,
    "collateral": False,
    "moves": False,
    "haircut": 0.0,
    "initial_haircut": 0.0,
}
KINDS = {Kind.SCAN: "regular", Kind.TAIL: "tail", Kind.SKEW: "skew"}


def answer(case: dict[str, Any]) -> dict[str, Any] | None:
    inputs = case["inputs"]
    if not {"scenarios", "vol_shock", "skew_shock", "margin"} <= set(inputs):
        return None
    scenarios, rule = _scenarios(inputs), _rule(inputs)
    held, book = _held(inputs), _book(inputs)
    quantity_e8 = amount(*(row["size"] if "size" in row else row["amount"] for row in held))
    row = np.arange(len(held))
    margin = expiry_margin(
        (row * 0, row, quantity_e8),
        book,
        scenarios,
        rule,
        spot_confidence=np.array([inputs["spot_conf"]]),
        stable_price=inputs["stable_price"],
    )
    years, rates = _expiries(inputs)
    days = book.contracts.years[book.expiry != NO_EXPIRY] * 365
    up, down = tenor_multipliers(days, scenarios.volatility_shock)
    long, short = static_discounts(years, rates, rule)
    worst = int(margin.worst[0])
    return {
        "IM": _left(inputs, margin, margin.initial_margin_e8),
        "MM": _left(inputs, margin, margin.maintenance_margin_e8),
        "option_mtm": float(margin.option_value[0]),
        "collateral_mtm": float(margin.collateral_value[0]),
        "scenario_pnl": margin.profit[0].tolist(),
        "basis_contingency": float(margin.basis[0]),
        "worst_kind": KINDS[Kind(scenarios.kind[worst])] if worst < len(scenarios) else "basis",
        "vol_up_multipliers": up.tolist(),
        "vol_down_multipliers": down.tolist(),
        "discount_factors_pos_neg": np.stack((long, short), axis=1).tolist(),
    }


def _left(inputs: dict[str, Any], margin: ExpiryMargin, required_e8: np.ndarray) -> float:
    """Their margins are equity less our requirement."""
    perp = inputs["perp"]
    equity = amount(
        inputs["cash"],
        perp["unrealised_pnl"],
        perp["unrealised_funding"],
        float(margin.option_value[0]),
        float(margin.collateral_value[0]),
    )
    entries = np.concatenate((equity, -required_e8))
    return number(sum_by(entries * 0, entries, 1)[0])


def _scenarios(inputs: dict[str, Any]) -> ScenarioSet:
    rows = [
        {"spot": spot - 1, "volatility": VOLATILITY[move], "weight": weight}
        for spot, move, weight in inputs["scenarios"]
    ]
    shock, skew = inputs["vol_shock"], inputs["skew_shock"]
    volatility = {
        "up": shock["volrangeup"],
        "down": shock["volrangedown"],
        "short_power": shock["shorttermpower"],
        "long_power": shock["longtermpower"],
        "floor_days": shock["dte_floor"],
        "least_up": shock["min_vol_eval_shocked"],
    }
    turns = {
        "linear_cap": skew["linear_scale_cap"],
        "linear_slope": skew["linear_cbase"],
        "absolute_cap": skew["abs_scale_cap"],
        "absolute_slope": skew["abs_cbase"],
        "width": skew["min_width_scale"],
        "volatility": skew["vol_param_static"],
        "volatility_slope": skew["vol_param_scale"],
        "least_width": skew["min_k_star"],
    }
    return ScenarioSet.of({"scenario": rows, "volatility": volatility, "skew": turns})


def _rule(inputs: dict[str, Any]) -> ExpiryRule:
    margin, basis, other = inputs["margin"], inputs["basis"], inputs["other"]
    return ExpiryRule(
        maintenance_factor=margin["mm_loss_factor"],
        initial_factor=margin["im_loss_factor"],
        long_discount=margin["base_static_discount"],
        long_rate_scale=margin["long_rate_multscale"],
        long_rate_add=margin["long_rate_addscale"],
        short_discount=margin["base_static_discount_neg"],
        short_rate_scale=margin["short_rate_multscale"],
        short_rate_add=margin["short_rate_addscale"],
        basis_up=basis["scenario_spot_up"] - 1,
        settlement_s=SETTLEMENT_S,
        basis_down=basis["scenario_spot_down"] - 1,
        basis_base=basis["basis_cont_add_factor"],
        basis_a_year=basis["basis_cont_mult_factor"],
        peg_threshold=other["peg_loss_threshold"],
        peg_factor=other["peg_loss_factor"],
        confidence_threshold=other["conf_threshold"],
        confidence_charge=other["conf_margin"],
        perpetual_maintenance=other["mm_perp_percent"],
        perpetual_initial=other["im_perp_percent"],
        naked_maintenance=other["mm_option_percent"],
        naked_initial=other["im_option_percent"],
    )


def _expiries(inputs: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Years and rates of the expiries, in their order."""
    seconds = [expiry["seconds_to_expiry"] for expiry in inputs["expiries"]]
    rates = [expiry["rate"] for expiry in inputs["expiries"]]
    return np.array(seconds, np.float64) / YEAR_S, np.array(rates, np.float64)


def _book(inputs: dict[str, Any]) -> ExpiryBook:
    """An instrument a holding: the perpetual if there is one, collateral, options."""
    instruments = [_instrument(inputs, holding) for holding in _held(inputs)]
    columns = {
        name: np.array([row[name] for row in instruments], type(NOTHING[name])) for name in NOTHING
    }
    priced = ("forward", "side", "strike", "years", "volatility")
    contracts = PricedContracts.of(**{name: columns.pop(name) for name in priced})
    return ExpiryBook(contracts, **columns)


def _held(inputs: dict[str, Any]) -> list[dict[str, Any]]:
    perpetual = [inputs["perp"]] if inputs["perp"]["size"] else []
    return perpetual + inputs["collaterals"] + inputs["options"]


def _instrument(inputs: dict[str, Any], holding: dict[str, Any]) -> dict[str, Any]:
    if "strike" in holding:
        seconds = [expiry["seconds_to_expiry"] for expiry in inputs["expiries"]]
        row = seconds.index(holding["seconds_to_expiry"])
        expiry = inputs["expiries"][row]
        return NOTHING | {
            "forward": expiry["forward"],
            "side": 1 if holding["type"] == "C" else -1,
            "strike": holding["strike"],
            "years": seconds[row] / YEAR_S,
            "volatility": holding["mark_vol"],
            "expiry": row,
            "rate": expiry["rate"],
            "confidence": expiry["conf"],
            "spot": inputs["spot"],
        }
    common = NOTHING | {"forward": holding["price"], "confidence": holding["conf"]}
    if "mm_haircut" not in holding:
        return common | {"spot": inputs["spot"]}
    return common | {
        "collateral": True,
        "moves": holding["risk_cancelling"],
        "haircut": holding["mm_haircut"],
        "initial_haircut": holding["im_haircut_extra"],
    }
