"""Records of what moves: the balances of insurance funds, and legs that go back to them."""

from streams.processors.outputs import Output
from streams.processors.transfers import Cause, Leg, transfer
from streams.state.apply_transfers import RETURNS
from streams.state.funds import Fund
from streams.state.ledger import INSURANCE, FundMovement, Ledger, Returned


def fund_record(ledger: Ledger, one: FundMovement, partition: int) -> Output:
    """The record of `insurance-fund` for one movement."""
    ledger.funds.setdefault(one.account_id, Fund()).told_e8 = one.balance_e8
    values = {
        "event_time": one.event_time,
        "asset": one.asset,
        "balance_e8": one.balance_e8,
        "change_e8": one.change_e8,
        "reason": one.reason,
        "source_id": one.source_id,
    }
    name = f"{one.account_id}/{one.source_id}"
    return Output("insurance-fund", one.asset, values, name, partition=partition)


def realised(ledger: Ledger, now_us: int) -> list[Output]:
    """What no record told of yet: profit, losses, fees and funding on what the funds hold."""
    outputs = []
    for number, name, _ in ledger.funds_here():
        fund = ledger.funds.setdefault(name, Fund())
        balance_e8 = ledger.fund_balance_e8(name, number)
        if balance_e8 != fund.told_e8:
            change_e8 = balance_e8 - (fund.told_e8 or 0)
            cause = f"{name}/realised/{now_us}"
            asset = ledger.rules.assets[number]
            movement = FundMovement(name, asset, change_e8, balance_e8, "REALISED", cause, now_us)
            outputs.append(fund_record(ledger, movement, ledger.home(name)))
    return outputs


def return_leg(ledger: Ledger, leg: Returned, now_us: int, partition: int) -> list[Output]:
    """The transfer that brings a leg that was not taken back to its fund."""
    there = Leg(
        INSURANCE + leg.asset,
        instrument_id=leg.instrument,
        quantity_e8=leg.quantity_e8,
        cost_e8=leg.cost_e8,
    )
    here = there.to(f"@{RETURNS}:{leg.asset}#{partition}")
    cause = Cause("RETURN", now_us, "", partition)
    return transfer(ledger, cause, f"{leg.transfer_id}/return", [here, there])
