"""Portfolio margin by expiry as a clerk works it out: one account, its options by expiry."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.reference.portfolio import naked, option_value, shocked_volatility


@dataclass(frozen=True)
class Expiry:
    """An expiry, its options (strike, call, volatility, quantity) and how sure its prices are."""

    years: float
    forward: float
    rate: float
    confidence: float
    options: Sequence[tuple[float, bool, float, float]]

    def value(self, spot: float, multiplier: Mapping[str, float], turn: str, skew: dict) -> float:
        """Of the options, the spot moved, volatilities shocked or the skew turned."""
        total = 0.0
        for strike, call, volatility, quantity in self.options:
            shocked = volatility
            if turn in ("up", "down"):
                shocked = shocked_volatility(volatility, self.years * 365, turn, dict(multiplier))
            elif turn in ("linear", "absolute"):
                shocked *= self._turned(math.log(strike / self.forward), turn, skew)
            forward = self.forward * (1 + spot)
            total += quantity * option_value(forward, strike, self.years, shocked, call)
        return total * math.exp(-self.rate * self.years)

    def _turned(self, k: float, turn: str, skew: dict) -> float:
        root = math.sqrt(self.years)
        cap = skew[f"{turn}_cap"] + skew[f"{turn}_slope"] * root
        width = skew["width"] * root * (skew["volatility"] + skew["volatility_slope"] * root)
        k = abs(k) if turn == "absolute" else k
        change = k * cap / max(skew["least_width"], width)
        return max(0.0, 1 + (min(cap, change) if k >= 0 else max(-cap, change)))


@dataclass(frozen=True)
class Account:
    """Options, perpetuals (price, quantity, confidence) and collateral of one account.

    Collateral is (price, quantity, confidence, moves, haircut, initial haircut).
    """

    spot: float
    confidence: float
    expiries: Sequence[Expiry]
    perpetuals: Sequence[tuple[float, float, float]]
    collateral: Sequence[tuple[float, float, float, bool, float, float]]


def requirements(account: Account, tables: dict, stable: float) -> tuple[float, float]:
    """(maintenance, initial) before rounding."""
    rule = tables["expiry_margin"]
    profits = [_profit(account, row, tables, stable) for row in tables["scenarios"]["scenario"]]
    loss = -min(*profits, _basis(account, tables), 0.0)
    maintenance, initial = _charges(account, rule, stable)
    peg = max(0.0, rule["peg_threshold"] - stable) * rule["peg_factor"]
    return (
        rule["maintenance_factor"] * loss + maintenance,
        (rule["initial_factor"] + peg) * loss + maintenance + initial,
    )


def _profit(account: Account, row: dict, tables: dict, stable: float) -> float:
    rule, table = tables["expiry_margin"], tables["scenarios"]
    spot, turn = row.get("spot", 0.0), row.get("volatility", "none")
    total = sum(price * quantity for price, quantity, _ in account.perpetuals) * spot
    total += sum(row[0] * row[1] / stable * spot for row in account.collateral if row[3])
    for expiry in account.expiries:
        shocked = expiry.value(spot, table["volatility"], turn, table["skew"])
        if shocked >= 0:
            growth = -expiry.years * (expiry.rate * rule["long_rate_scale"] + rule["long_rate_add"])
            factor = rule["long_discount"] * math.exp(growth)
        else:
            growth = expiry.years * (
                expiry.rate * rule["short_rate_scale"] + rule["short_rate_add"]
            )
            factor = min(
                math.exp(expiry.rate * expiry.years), rule["short_discount"] * math.exp(growth)
            )
        profit = shocked * factor - expiry.value(0.0, table["volatility"], "none", table["skew"])
        total += -abs(profit) if turn in ("linear", "absolute") else profit
    return row.get("weight", 1.0) * total


def _basis(account: Account, tables: dict) -> float:
    rule, table = tables["expiry_margin"], tables["scenarios"]
    total = 0.0
    for expiry in account.expiries:
        now, up, down = (
            expiry.value(move, table["volatility"], "none", table["skew"])
            for move in (0.0, rule["basis_up"], rule["basis_down"])
        )
        share = rule["basis_base"] + rule["basis_a_year"] * expiry.years
        total += min(up - now, down - now, 0.0) * share
    return total


def _charges(account: Account, rule: dict, stable: float) -> tuple[float, float]:
    def doubt(confidence: float) -> float:
        low = confidence < rule["confidence_threshold"]
        return (1 - confidence) * rule["confidence_charge"] if low else 0.0

    maintenance = initial = 0.0
    shared = min([account.confidence, *(row[2] for row in account.perpetuals)])
    for _, quantity, _ in account.perpetuals:
        maintenance += abs(quantity) * account.spot * rule["perpetual_maintenance"]
        initial += abs(quantity) * account.spot * (rule["perpetual_initial"] + doubt(shared))
    for price, quantity, confidence, _, haircut, extra in account.collateral:
        value = price * quantity / stable
        maintenance += value * haircut
        initial += value * (extra + doubt(min(confidence, account.confidence)))
    for row, expiry in enumerate(account.expiries):
        least = doubt(min(shared, expiry.confidence))
        gross = sum(abs(quantity) for _, _, _, quantity in expiry.options)
        initial += gross * account.spot * least
        keyed = [
            ((row, round(strike * 1e8)), round(quantity * 1e8))
            for strike, _, _, quantity in expiry.options
        ]
        short = sum(naked(keyed).values()) / 1e8
        maintenance += short * account.spot * rule["naked_maintenance"]
        initial += short * account.spot * rule["naked_initial"]
    return maintenance, initial
