"""An insurance fund at the marks in force: what it holds, is worth and must maintain."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from risk.valuation import contract_value
from schemas.units import E8
from streams.processors.margin import evaluate, quotes
from streams.state.guards import Guard, Use, allowed
from streams.state.ledger import INSURANCE, Ledger
from streams.state.mark_board import MarkBoard


@dataclass(frozen=True, slots=True)
class Holding:
    """A position of the fund; amounts in the fund's asset."""

    number: int
    instrument: str
    quantity_e8: int
    margin_e8: int
    lot_e8: int
    mark_e8: int
    guard: Guard


@dataclass(frozen=True)
class FundView:
    """A fund as its decisions see it; amounts in its own asset, exact.

    Most decisions end at what it is worth: they ask for no holding.
    """

    account_id: str
    asset: str
    partition: int
    bucket: int
    equity_e8: int
    margin_e8: int
    initial_margin_e8: int
    holds: bool
    live: bool
    """All that its equity rests on may liquidate."""
    look: Callable[[], tuple[Holding, ...]]

    @cached_property
    def holdings(self) -> tuple[Holding, ...]:
        return self.look()


def fund_views(ledger: Ledger, board: MarkBoard, *, idle: bool) -> list[FundView]:
    """The funds of the partitions held that hold positions, owe money or have something open.

    All of them where `idle`.
    """
    book, found = ledger.book, list[FundView]()
    for number, name, row in ledger.funds_here():
        bucket = book.cross_bucket(row)
        owes = ledger.fund_balance_e8(name, number) < 0
        holds = bool(book.buckets["first_position"][bucket])
        fund = ledger.funds.get(name)
        if idle or owes or holds or (fund and (fund.auctions or fund.requests)):
            found.append(_view(ledger, board, number, bucket))
    return found


def _view(ledger: Ledger, board: MarkBoard, asset: int, bucket: int) -> FundView:
    book, rules = ledger.book, ledger.rules
    name = rules.assets[asset]
    evaluated = evaluate(ledger, board, np.array([bucket]))
    price_e8 = int(quotes(ledger, board).prices_e8[asset])
    guard = int(evaluated.guard[0])
    held = evaluated.positions

    def holdings() -> tuple[Holding, ...]:
        margins_e8 = evaluated.position_state.maintenance_margin_e8.tolist()
        return tuple(
            Holding(
                number,
                rules.instruments[number],
                quantity_e8,
                of_position,
                int(rules.contracts.lot_e8[number]),
                int(board.mark_e8[number]),
                Guard(int(evaluated.mark_guard[number])),
            )
            for number, quantity_e8, of_position in zip(
                held.instrument.tolist(),
                held.quantity_e8.tolist(),
                _in_asset(margins_e8, price_e8),
                strict=True,
            )
        )

    profit_e8 = sum(evaluated.position_state.profit_e8.tolist())
    requirement = [
        int(one[0])
        for one in (evaluated.state.maintenance_margin_e8, evaluated.state.initial_margin_e8)
    ]
    maintenance_e8, initial_e8 = _in_asset(requirement, price_e8)
    return FundView(
        INSURANCE + name,
        name,
        book.partition_of_bucket(bucket),
        bucket,
        ledger.fund_balance_e8(INSURANCE + name, asset) + profit_e8,
        maintenance_e8,
        initial_e8,
        len(held.instrument) > 0,
        price_e8 > 0 and bool(allowed(Use.LIQUIDATE, np.array([guard], np.int8))[0]),
        holdings,
    )


def _in_asset(amounts_e8: list[int], price_e8: int) -> list[int]:
    """Amounts of the valuation currency as units of an asset at a price, rounded up."""
    return [-(-amount * E8 // price_e8) if price_e8 > 0 else 0 for amount in amounts_e8]


def value_e8(ledger: Ledger, instrument: int, quantity_e8: int, price_e8: int) -> int:
    """Value of contracts at a price in the settlement asset; OverflowError beyond 18 digits."""
    contracts, at = ledger.rules.contracts, np.array([instrument])
    value, fits = contract_value(
        contracts.inverse[at],
        contracts.multiplier_e8[at],
        np.array([quantity_e8]),
        np.array([price_e8]),
    )
    if not fits.all():
        name = ledger.rules.instruments[instrument]
        raise OverflowError(f"{quantity_e8} e8 of {name} at {price_e8} e8 is beyond 18 digits")
    return int(value[0])
