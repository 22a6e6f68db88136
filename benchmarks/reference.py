"""What the records must add up to: a book in plain Python integers, sharing no code with ours."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

E8 = 10**8


class ReferenceBook:
    """Positions (signed quantity, cost) and cash of accounts that hold linear contracts on USDT.

    The sequence within an account matters: a position that comes to zero realises its cost.
    """

    def __init__(self) -> None:
        self.positions: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        """(account, instrument) -> [quantity e8, cost e8]; [0, 0] where it was closed."""
        self.cash_e8: dict[str, int] = defaultdict(int)
        """Deposits less fees less realised costs, an account."""
        self.fees_e8: dict[str, int] = defaultdict(int)
        self.realised_e8: dict[tuple[str, str], int] = defaultdict(int)
        """(account, instrument) -> costs realised."""

    def deposit(self, record: Mapping[str, Any]) -> None:
        self.cash_e8[record["account_id"]] += record["amount_e8"]

    def fill(self, record: Mapping[str, Any]) -> None:
        account, instrument = record["account_id"], record["instrument_id"]
        signed = record["quantity_e8"] if record["side"] == "BUY" else -record["quantity_e8"]
        value, rest = divmod(signed * record["price_e8"], E8)
        if rest:
            raise ValueError(f"{record['fill_id']}: its value has more than 8 decimals")
        self.fees_e8[account] += record["fee_e8"]
        self.cash_e8[account] -= record["fee_e8"]
        position = self.positions[account, instrument]
        position[0] += signed
        position[1] += value
        if position[0] == 0:
            self.cash_e8[account] -= position[1]
            self.realised_e8[account, instrument] += position[1]
            position[1] = 0

    def open_positions(self) -> int:
        return sum(quantity != 0 for quantity, _ in self.positions.values())

    def state(self) -> dict[str, Any]:
        """The state as JSON has it: {"positions": {"account instrument": [q, c]}, "cash": ...}."""
        return {
            "positions": {" ".join(k): v for k, v in self.positions.items() if v != [0, 0]},
            "cash": {account: cash for account, cash in self.cash_e8.items() if cash},
        }

    def digest(self, partition_of: Callable[[str], int]) -> str:
        """The fingerprint a worker's report must show: its entries, hashed and summed mod 2^128.

        The other side of fees and of realised costs stands in one slice a partition.
        """
        balances: dict[str, int] = defaultdict(int, self.cash_e8)
        positions: dict[tuple[str, str], tuple[int, int]] = {
            place: (quantity, cost) for place, (quantity, cost) in self.positions.items()
        }
        settled: dict[tuple[str, str], int] = defaultdict(int)
        for account, fee in self.fees_e8.items():
            balances[f"@fees:USDT#{partition_of(account)}"] += fee
        for (account, instrument), cost in self.realised_e8.items():
            settled[f"@settlement:{instrument}#{partition_of(account)}", instrument] += cost
        for (name, instrument), cost in settled.items():
            balances[name] += cost
            positions[name, instrument] = (0, cost)
        entries = [f"{name}|cross|USDT|[{amount}]" for name, amount in balances.items() if amount]
        entries += [
            f"{name}|cross|{instrument}|[{quantity}, {cost}]"
            for (name, instrument), (quantity, cost) in positions.items()
            if quantity or cost
        ]
        total = sum(
            int.from_bytes(hashlib.blake2b(entry.encode(), digest_size=16).digest())
            for entry in entries
        )
        return f"{total % 2**128:032x}"
