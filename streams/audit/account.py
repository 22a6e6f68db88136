"""An account as the engine states it, and a partition's book as a clerk would keep it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from schemas.units import E8
from streams.audit.rulebook import Contract, Record, Rulebook

CROSS = "cross"


@dataclass(slots=True)
class AccountState:
    """What an account has. Entries that are zero mean nothing.

    `balances`: (bucket, asset) -> e8; `positions`: (bucket, instrument) -> (quantity e8, cost e8).
    `offsets`: topic -> one past the last record applied to it, as far as that is known.
    """

    balances: dict[tuple[str, str], int] = field(default_factory=dict)
    positions: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    offsets: Mapping[str, int] = field(default_factory=dict)

    def trimmed(self) -> "AccountState":
        """The same without entries that are zero, and without offsets."""
        return AccountState(
            {place: amount for place, amount in self.balances.items() if amount},
            {place: held for place, held in self.positions.items() if any(held)},
        )


def rounded(numerator: int, denominator: int) -> int:
    """The nearest integer to a fraction, half away from zero; the denominator is positive."""
    if numerator < 0:
        return -((-2 * numerator + denominator) // (2 * denominator))
    return (2 * numerator + denominator) // (2 * denominator)


def value_e8(contract: Contract, quantity_e8: int, price_e8: int) -> int:
    """Quantity x unit value in the settlement asset, quantity x multiplier rounded first."""
    contracts = rounded(quantity_e8 * contract.multiplier_e8, E8)
    if contract.inverse:
        return -rounded(contracts * E8, price_e8)
    return rounded(contracts * price_e8, E8)


class Book:
    """Balances and positions of one partition; records are booked in the order they are given.

    What fees, penalties, settlements and funding move on the other side goes to the partition's
    slices, `@fees:USDT#3` and the like. `penalty_e8` of a fill and `refused` of a leg are what the
    folder found out about them.
    """

    def __init__(self, rules: Rulebook, partition: int) -> None:
        self.balances: dict[tuple[str, str, str], int] = defaultdict(int)
        self.positions: dict[str, dict[tuple[str, str], list[int]]] = defaultdict(dict)
        """instrument -> (account, bucket) -> quantity e8 and cost e8."""
        self.paired_e8: dict[str, int] = defaultdict(int)
        """asset -> what trades of pairs moved: nothing where both sides are in."""
        self.settled: dict[str, Record] = {}
        """instrument -> its settlement, which also ends what is booked later."""
        self._rules = rules
        self._partition = partition

    def book(self, topic: str, record: Record) -> None:
        """Book a record of fills, collateral, transfers or funding that breaks no rule."""
        if topic == "fills":
            self.fill(record)
        elif topic == "collateral":
            self._collateral(record)
        elif topic == "transfers":
            self._leg(record)
        elif record["kind"] == "SETTLEMENT":
            self.settled[record["instrument_id"]] = record
            self._settle(record)
        else:
            self._payment(record)

    def fill(self, record: Record) -> None:
        """Book a fill, with the penalty that it was found to pay; the most frequent record."""
        balances, name = self.balances, record["instrument_id"]
        contract, account = self._rules.contracts[name], record["account_id"]
        quantity_e8 = record["quantity_e8"] if record["side"] == "BUY" else -record["quantity_e8"]
        if fee_e8 := record["fee_e8"]:
            asset = record["fee_asset"]
            balances[account, CROSS, asset] -= fee_e8
            balances[f"@fees:{asset}#{self._partition}", CROSS, asset] += fee_e8
        cost_e8 = value_e8(contract, quantity_e8, record["price_e8"])
        if contract.spot:
            base_e8 = rounded(quantity_e8 * contract.multiplier_e8, E8)
            balances[account, CROSS, contract.base] += base_e8
            balances[account, CROSS, contract.quote] -= cost_e8
            self.paired_e8[contract.base] += base_e8
            self.paired_e8[contract.quote] -= cost_e8
            return
        bucket = CROSS
        if record["margin_mode"] == "ISOLATED":
            bucket = name
            balances[account, bucket, contract.settlement] += record["isolated_margin_e8"]
            balances[account, CROSS, contract.settlement] -= record["isolated_margin_e8"]
        if penalty_e8 := record.get("penalty_e8"):
            asset = contract.settlement
            balances[account, bucket, asset] -= penalty_e8
            balances[f"@penalties:{asset}#{self._partition}", CROSS, asset] += penalty_e8
        self._add((account, bucket), name, quantity_e8, cost_e8)
        if name in self.settled:
            self._settle(self.settled[name])

    def _collateral(self, record: Record) -> None:
        account, asset, amount_e8 = record["account_id"], record["asset"], record["amount_e8"]
        self.balances[account, record["isolated_instrument_id"] or CROSS, asset] += amount_e8
        if record["kind"] == "TRANSFER":
            self.balances[account, CROSS, asset] -= amount_e8

    def closes(self, leg: Record) -> bool:
        """Whether a leg closes that much of a position of its bucket, and at no loss."""
        owner = (leg["account_id"], leg["bucket"])
        held_e8, cost_e8 = self.positions[leg["instrument_id"]].get(owner, (0, 0))
        closed_e8 = leg["quantity_e8"]
        loss_e16: int = leg["cost_e8"] * abs(held_e8) + cost_e8 * abs(closed_e8)
        return held_e8 * closed_e8 < 0 and abs(closed_e8) <= abs(held_e8) and loss_e16 <= 0

    def _leg(self, record: Record) -> None:
        account, bucket = record["account_id"], record["bucket"]
        if record.get("refused"):
            account, bucket = self.returns(record), CROSS
        if record["asset"] is not None:
            self.balances[account, bucket, record["asset"]] += record["amount_e8"]
        if record["instrument_id"] is not None:
            self._add(
                (account, bucket),
                record["instrument_id"],
                record["quantity_e8"],
                record["cost_e8"],
            )
            if settlement := self.settled.get(record["instrument_id"]):
                self._settle(settlement)

    def _payment(self, record: Record) -> None:
        """Longs pay notional x rate to shorts, each to the nearest unit."""
        name, rate, mark_e8 = record["instrument_id"], record["rate"], record["mark_e8"]
        contract, paid_e8 = self._rules.contracts[name], 0
        for (account, bucket), (quantity_e8, _) in self.positions[name].items():
            if quantity_e8:
                notional_e8 = abs(value_e8(contract, quantity_e8, mark_e8))
                payment_e8 = round((notional_e8 if quantity_e8 > 0 else -notional_e8) * rate)
                self.balances[account, bucket, contract.settlement] -= payment_e8
                paid_e8 += payment_e8
        slice_ = f"@funding:{name}#{self._partition}"
        self.balances[slice_, CROSS, contract.settlement] += paid_e8

    def _settle(self, record: Record) -> None:
        """Every position is traded at the settlement price against the settlement slice."""
        name, slice_ = record["instrument_id"], (self._settlement(record["instrument_id"]), CROSS)
        for owner, (quantity_e8, _) in list(self.positions[name].items()):
            if quantity_e8 and owner != slice_:
                worth_e8 = value_e8(self._rules.contracts[name], quantity_e8, record["mark_e8"])
                self._add(owner, name, -quantity_e8, -worth_e8)
                held = self.positions[name].setdefault(slice_, [0, 0])
                held[0] += quantity_e8
                held[1] += worth_e8

    def _add(self, owner: tuple[str, str], name: str, quantity_e8: int, cost_e8: int) -> None:
        """A position that comes to zero realises its cost against the settlement slice."""
        held = self.positions[name].setdefault(owner, [0, 0])
        held[0] += quantity_e8
        held[1] += cost_e8
        if held[0] == 0 and held[1]:
            cost_e8, held[1] = held[1], 0
            asset, slice_ = self._rules.contracts[name].settlement, self._settlement(name)
            self.balances[(*owner, asset)] -= cost_e8
            self.balances[slice_, CROSS, asset] += cost_e8
            self.positions[name].setdefault((slice_, CROSS), [0, 0])[1] += cost_e8

    def _settlement(self, name: str) -> str:
        return f"@settlement:{name}#{self._partition}"

    def returns(self, record: Record) -> str:
        """The slice that takes a refused leg, and returns it."""
        name = record["instrument_id"]
        asset = self._rules.contracts[name].settlement if name else record["asset"]
        return f"@returns:{asset}#{self._partition}"

    def accounts(self) -> dict[str, AccountState]:
        """The accounts of the partition, without entries that are zero."""
        states: dict[str, AccountState] = defaultdict(AccountState)
        for (account, bucket, asset), amount_e8 in self.balances.items():
            if amount_e8:
                states[account].balances[bucket, asset] = amount_e8
        for name, holders in self.positions.items():
            for (account, bucket), (quantity_e8, cost_e8) in holders.items():
                if quantity_e8 or cost_e8:
                    states[account].positions[bucket, name] = (quantity_e8, cost_e8)
        return states
