"""The steps from positions and balances to equity."""

import numpy as np

from risk.book import Evaluation
from risk.explaining.step import Names, Step, rate
from risk.margin import steps
from risk.margin.haircuts import counted
from risk.requirements.case import Case
from risk.valuation import contract_value, sum_by
from schemas.units import PPM, Int64s, multiply_e8, text

LINEAR = "quantity x multiplier x mark - cost"
INVERSE = "-(quantity x multiplier) / mark - cost"


def profits(case: Case, result: Evaluation, names: Names) -> list[Step]:
    positions, contracts = case.book.positions, case.rules.contracts
    row = positions.instrument
    inverse, mark_e8 = contracts.inverse[row], case.market.mark_e8[row]
    value_e8, _ = contract_value(
        inverse, contracts.multiplier_e8[row], positions.quantity_e8, mark_e8
    )
    return [
        Step(
            f"profit of {names.instruments[row[p]]}",
            INVERSE if inverse[p] else LINEAR,
            {
                "quantity": text(positions.quantity_e8[p]),
                "multiplier": text(contracts.multiplier_e8[row[p]]),
                "mark": text(mark_e8[p]),
                "value": text(value_e8[p]),
                "cost": text(positions.cost_e8[p]),
                "profit": f"{text(result.positions.profit_e8[p])} "
                f"{names.assets[contracts.settlement[row[p]]]}",
            },
        )
        for p in range(len(row))
    ]


def collateral(case: Case, result: Evaluation, names: Names) -> list[Step]:
    book, assets = case.book, case.rules.assets
    count = len(assets.price_e8)
    settled = case.rules.contracts.settlement[book.positions.instrument]
    balance_e8 = sum_by(book.balances.asset, book.balances.amount_e8, count)
    profit_e8 = sum_by(settled, result.positions.profit_e8, count)
    value_e8, _ = multiply_e8(balance_e8 + profit_e8, assets.price_e8)
    counts_e8 = counted(value_e8, np.arange(count), assets)
    made = []
    for asset in np.unique(np.concatenate((book.balances.asset, settled))).tolist():
        owed = value_e8[asset] < 0
        weight = f"{assets.borrow_weight_ppm[asset] / PPM:g}"
        made.append(
            Step(
                f"what {names.assets[asset]} counts for",
                "value = (balance + profits) x price; "
                + ("value x (1 + borrow weight)" if owed else "value - haircut, slice by slice"),
                {
                    "balance": text(balance_e8[asset]),
                    "profits": text(profit_e8[asset]),
                    "price": text(assets.price_e8[asset]),
                    "value": text(value_e8[asset]),
                    **({"borrow weight": weight} if owed else _haircut(value_e8, asset, case)),
                    "counts": text(counts_e8[asset]),
                },
            )
        )
    return made


def _haircut(value_e8: Int64s, asset: int, case: Case) -> dict[str, str]:
    table = case.rules.assets.haircuts
    if not table.known[asset]:
        return {"haircut": "none"}
    step = int(steps.level(value_e8[[asset]], np.array([asset]), table)[0])
    return {"haircut rate of the last slice": rate(table, asset, step)}


def equity(result: Evaluation) -> Step:
    state = result.state
    return Step(
        "equity",
        "sum of what the assets count for; for the initial margin at conservative prices and"
        " with limited profits, where the profile says so",
        {
            "equity that meets the initial margin": text(state.initial_equity_e8[0]),
            "equity": text(state.equity_e8[0]),
        },
    )
