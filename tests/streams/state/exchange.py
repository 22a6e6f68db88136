"""A small exchange for tests of the state: its rules, and records on them."""

from typing import Any

from schemas.block import Block
from schemas.record_codec import encode
from schemas.topics import BY_NAME
from schemas.units import E8
from streams.processors.cycle import Cycle
from streams.state.ledger import partition_of
from tests.simulation.driver import block_of

PARTITIONS = 1
NOW_US = 1_760_000_000_000_000
Record = dict[str, Any]


def instrument(name: str, kind: str, base: str, quote: str, **more: Any) -> Record:
    settled = base if kind.startswith("INVERSE") else quote
    return {
        "event_time": NOW_US, "instrument_id": name, "kind": kind, "base": base, "quote": quote,
        "settlement_asset": settled, "multiplier_e8": E8, "tick_e8": E8 // 10, "lot_e8": E8 // 1000,
        "strike_e8": None, "expiry": None, "option_type": None, "underlying": None,
        "status": "ACTIVE", **more,
    }  # fmt: skip


INSTRUMENTS = [
    instrument("BTC-PERP", "LINEAR_PERP", "BTC", "USDT"),
    instrument("ETH-PERP", "LINEAR_PERP", "ETH", "USDT", multiplier_e8=E8 // 10),
    instrument("BTC-INV", "INVERSE_PERP", "BTC", "USD", multiplier_e8=100 * E8, lot_e8=E8),
    instrument("BTC-USDT", "SPOT", "BTC", "USDT"),
    instrument("OLD-PERP", "LINEAR_PERP", "OLD", "USDT", status="SETTLED"),
]
ASSETS = [("USDT", None, []), ("BTC", "BTC-USDT", [(0, 50_000), (10**14, 200_000)])]
TIERS = [(0, 10_000, 5_000), (50_000 * E8, 20_000, 10_000)]


def asset(name: str, priced_by: str | None, tiers: list[tuple[int, int]]) -> Record:
    return {
        "event_time": NOW_US, "asset": name, "price_instrument_id": priced_by,
        "haircut_tiers": [{"floor_e8": f, "haircut_ppm": h} for f, h in tiers or [(0, 0)]],
        "borrow_weight_ppm": 0,
    }  # fmt: skip


def risk_params(subject: str, **more: Any) -> Record:
    return {
        "event_time": NOW_US, "subject": subject, "version": 1, "effective_at": NOW_US,
        "reason": "listing", "tier_method": "MARGINAL", "margin_scalar_ppm": 1_000_000,
        "tiers": [
            {"floor_e8": f, "initial_ppm": i, "maintenance_ppm": m} for f, i, m in TIERS
        ], **more,
    }  # fmt: skip


def fill(number: int, account: str = "alice", **more: Any) -> Record:
    return {
        "event_time": NOW_US + number, "account_id": account, "fill_id": f"f-{number}",
        "instrument_id": "BTC-PERP", "side": "BUY", "price_e8": 50_000 * E8, "quantity_e8": E8,
        "fee_e8": 0, "fee_asset": "USDT", "liquidity": "TAKER", "margin_mode": "CROSS",
        "isolated_margin_e8": 0, "liquidation_id": None, **more,
    }  # fmt: skip


def order(number: int, account: str = "alice", **more: Any) -> Record:
    return {
        "event_time": NOW_US + number, "account_id": account, "order_id": f"o-{number}",
        "instrument_id": "BTC-PERP", "side": "BUY", "price_e8": 50_000 * E8, "remaining_e8": E8,
        "margin_mode": "CROSS", "reduce_only": False, **more,
    }  # fmt: skip


def deposit(number: int, account: str = "alice", **more: Any) -> Record:
    return {
        "event_time": NOW_US + number, "account_id": account, "collateral_id": f"c-{number}",
        "asset": "USDT", "amount_e8": 10_000 * E8, "kind": "DEPOSIT",
        "isolated_instrument_id": None, **more,
    }  # fmt: skip


def mark(number: int, name: str = "BTC-PERP", price: int = 50_000, **more: Any) -> Record:
    return {
        "event_time": NOW_US + number, "instrument_id": name, "source": "test", "sequence": number,
        "mark_e8": price * E8, "index_e8": price * E8, "bid_e8": None, "ask_e8": None,
        "bid_depth_e8": None, "ask_depth_e8": None, "implied_volatility": None,
        "funding_rate_estimate": None, **more,
    }  # fmt: skip


def funding(number: int, **more: Any) -> Record:
    return {
        "event_time": NOW_US + number, "instrument_id": "BTC-PERP", "funding_id": f"p-{number}",
        "rate": 0.0001, "mark_e8": 60_000 * E8, "kind": "FUNDING", **more,
    }  # fmt: skip


class Bench:
    """A cycle with the small exchange listed, and blocks fed to it in order."""

    def __init__(self, partitions: int = PARTITIONS, **settings: Any) -> None:
        self.cycle = Cycle(partitions, **settings)
        self.partitions = partitions
        self._end: dict[tuple[str, int], int] = {}
        for number in range(partitions):
            self.cycle.take_partition(number, {})
        for record in INSTRUMENTS:
            self.send("instruments", record)
        for one in ASSETS:
            self.send("assets", asset(*one))
        for record in INSTRUMENTS:
            self.send("risk-params", risk_params(record["instrument_id"]))

    def send(self, topic: str, *records: Record) -> None:
        """Encode and hand in, one block a partition."""
        row = BY_NAME[topic]
        runs: dict[int, list[tuple[bytes | None, bytes | None]]] = {}
        for record in records:
            key = record[row.keyed_by]
            number = partition_of(key, self.partitions) if row.sharing == "account" else 0
            runs.setdefault(number, []).append((key.encode(), encode(row.record, record)))
        for number, run in runs.items():
            self.raw(topic, run, number)

    def raw(
        self, topic: str, run: list[tuple[bytes | None, bytes | None]], partition: int = 0
    ) -> Block:
        first = self._end.get((topic, partition), 0)
        block = block_of(topic, partition, run, first)
        self._end[topic, partition] = first + len(run)
        if BY_NAME[topic].sharing == "account":
            self.cycle.apply(block)
        else:
            self.cycle.take_broadcast(block)
        return block

    def balances(self) -> dict[tuple[str, str, str], int]:
        """(account, bucket, asset) -> e8, what is not zero."""
        book, rules = self.cycle.ledger.book, self.cycle.ledger.rules
        return {
            (
                *self._place(int(book.balances["bucket"][row])),
                rules.assets[int(book.balances["asset"][row])],
            ): int(book.balances["amount_e8"][row])
            for row in book.balances.live_rows().tolist()
            if book.balances["amount_e8"][row]
        }

    def positions(self) -> dict[tuple[str, str, str], tuple[int, int]]:
        """(account, bucket, instrument) -> (quantity e8, cost e8), what is not zero."""
        book, rules = self.cycle.ledger.book, self.cycle.ledger.rules
        found = {}
        for row in book.positions.live_rows().tolist():
            held = (int(book.positions["quantity_e8"][row]), int(book.positions["cost_e8"][row]))
            if any(held):
                name = rules.instruments[int(book.positions["instrument"][row])]
                found[(*self._place(int(book.positions["bucket"][row])), name)] = held
        return found

    def letters(self) -> list[Record]:
        return [dict(o.values) for o in self.cycle.take_outputs() if o.topic == "dead-letters"]

    def _place(self, bucket: int) -> tuple[str, str]:
        book, rules = self.cycle.ledger.book, self.cycle.ledger.rules
        pool = int(book.buckets["instrument"][bucket])
        return book.account_of_bucket(bucket), "cross" if pool < 0 else rules.instruments[pool]
