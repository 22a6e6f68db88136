"""The book as a clerk would keep it: one record after the other, Python integers, dictionaries."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from tests.reference.open_orders import Open, hashed

E8 = 10**8
PENALTY_PPM = 5_000


def value_e8(inverse: bool, multiplier_e8: int, quantity_e8: int, price_e8: int) -> int:
    """Quantity x unit value, half away from zero; quantity x multiplier is rounded first."""
    contracts = rounded(quantity_e8 * multiplier_e8, E8)
    if inverse:
        return -rounded(contracts * E8, price_e8)
    return rounded(contracts * price_e8, E8)


def rounded(numerator: int, denominator: int) -> int:
    sign = -1 if (numerator < 0) != (denominator < 0) else 1
    return sign * ((2 * abs(numerator) + abs(denominator)) // (2 * abs(denominator)))


def penalty_e8(inverse: bool, multiplier_e8: int, signed_e8: int, prices: tuple[int, int]) -> int:
    """Of a fill at the first price, for an order whose bankruptcy price is the second (0: none)."""
    price_e8, bankruptcy_e8 = prices
    value = value_e8(inverse, multiplier_e8, signed_e8, price_e8)
    at_bankruptcy = 0
    if bankruptcy_e8:
        at_bankruptcy = value_e8(inverse, multiplier_e8, signed_e8, bankruptcy_e8)
    return max(0, min(at_bankruptcy - value, abs(value) * PENALTY_PPM // 10**6))


class ClerksBook:
    """Balances by (account, bucket, asset), positions by (account, bucket, instrument), orders."""

    def __init__(self, instruments: Mapping[str, Mapping[str, Any]]) -> None:
        self.instruments = instruments
        self.balances: dict[tuple[str, str, str], int] = defaultdict(int)
        self.positions: dict[tuple[str, str, str], list[int]] = defaultdict(lambda: [0, 0])
        self.settled: dict[str, int] = {}
        self.orders: Open = {}

    def collateral(self, record: Mapping[str, Any]) -> None:
        account, asset, amount = record["account_id"], record["asset"], record["amount_e8"]
        bucket = record["isolated_instrument_id"] or "cross"
        self.balances[account, bucket, asset] += amount
        if record["kind"] == "TRANSFER":
            self.balances[account, "cross", asset] -= amount

    def fill(self, record: Mapping[str, Any], bankruptcy_e8: int | None = None) -> None:
        """`bankruptcy_e8` is the price of the open liquidation order that it answers, 0 none."""
        contract = self.instruments[record["instrument_id"]]
        account, price = record["account_id"], record["price_e8"]
        quantity = record["quantity_e8"] * (1 if record["side"] == "BUY" else -1)
        self.balances[account, "cross", record["fee_asset"]] -= record["fee_e8"]
        self.balances["@fees", "cross", record["fee_asset"]] += record["fee_e8"]
        inverse = contract["kind"].startswith("INVERSE")
        value = value_e8(inverse, contract["multiplier_e8"], quantity, price)
        if contract["kind"] == "SPOT":
            base = rounded(quantity * contract["multiplier_e8"], E8)
            self.balances[account, "cross", contract["base"]] += base
            self.balances[account, "cross", contract["quote"]] -= value
            return
        bucket, asset = "cross", contract["settlement_asset"]
        if record["margin_mode"] == "ISOLATED":
            bucket = record["instrument_id"]
            self.balances[account, bucket, asset] += record["isolated_margin_e8"]
            self.balances[account, "cross", asset] -= record["isolated_margin_e8"]
        if bankruptcy_e8 is not None:
            prices = price, bankruptcy_e8
            penalty = penalty_e8(inverse, contract["multiplier_e8"], quantity, prices)
            self.balances[account, bucket, asset] -= penalty
            self.balances["@penalties", "cross", asset] += penalty
        self.add(account, bucket, record["instrument_id"], (quantity, value))
        self.settle_late(record["instrument_id"])

    def order(self, record: Mapping[str, Any]) -> None:
        """What is said of an order last counts; nothing is open of what is settled."""
        key, name = (record["account_id"], hashed(record["order_id"])), record["instrument_id"]
        self.orders.pop(key, None)
        if record["remaining_e8"] and name not in self.settled:
            spot = self.instruments[name]["kind"] == "SPOT"
            bucket = name if record["margin_mode"] == "ISOLATED" and not spot else "cross"
            signed_e8 = record["remaining_e8"] * (1 if record["side"] == "BUY" else -1)
            self.orders[key] = (bucket, name, signed_e8, record["reduce_only"])

    def settle(self, instrument: str, price_e8: int) -> None:
        """Every position is sold to the settlement account at one price; later ones too. No order
        is left."""
        self.settled[instrument] = price_e8
        self.orders = {key: one for key, one in self.orders.items() if one[1] != instrument}
        contract = self.instruments[instrument]
        inverse = contract["kind"].startswith("INVERSE")
        end = self.positions["@settlement", "cross", instrument]
        for (account, bucket, name), (quantity, _) in list(self.positions.items()):
            if name == instrument and quantity and account != "@settlement":
                value = value_e8(inverse, contract["multiplier_e8"], quantity, price_e8)
                self.add(account, bucket, name, (-quantity, -value))
                end[0] += quantity
                end[1] += value

    def settle_late(self, instrument: str) -> None:
        if instrument in self.settled:
            self.settle(instrument, self.settled[instrument])

    def closes(self, account: str, bucket: str, instrument: str, leg: Mapping[str, Any]) -> bool:
        """Whether a leg only closes a position, in part or whole, and realises no loss on it."""
        held, paid = self.positions.get((account, bucket, instrument), (0, 0))
        quantity = leg["quantity_e8"]
        opposite = held * quantity < 0 and abs(quantity) <= abs(held)
        return opposite and leg["cost_e8"] * abs(held) + paid * abs(quantity) <= 0

    def add(self, account: str, bucket: str, instrument: str, delta: tuple[int, int]) -> None:
        """A position that comes to zero realises its cost against the settlement account."""
        position = self.positions[account, bucket, instrument]
        position[0] += delta[0]
        position[1] += delta[1]
        if position[0] == 0:
            asset, cost = self.instruments[instrument]["settlement_asset"], position[1]
            position[1] = 0
            self.balances[account, bucket, asset] -= cost
            self.balances["@settlement", "cross", asset] += cost
            self.positions["@settlement", "cross", instrument][1] += cost
