"""Which rules a record of the input topics breaks: an own reading, beside the engine's."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from schemas.dead_letter import DeadLetterReason as Reason
from schemas.dead_letter import RefusedRecord
from schemas.record_codec import decode
from schemas.topics import BY_NAME
from schemas.units import E8, LIMIT_E8
from streams.audit.account import CROSS, rounded, value_e8
from streams.audit.partitioner import partition_of
from streams.audit.reading import Entry
from streams.audit.rulebook import Record, Rulebook, table_fault

EARLIEST_US = 946_684_800_000_000
LATEST_US = 4_102_444_800_000_000
"""The years 2000 and 2100: no event of an exchange is outside of them."""
AHEAD_US = 60_000_000
"""A tick further ahead than this of the time at which it was written is refused."""
NAMES = {
    "instrument_id": Reason.UNKNOWN_INSTRUMENT,
    "isolated_instrument_id": Reason.UNKNOWN_INSTRUMENT,
    "asset": Reason.UNKNOWN_ASSET,
    "fee_asset": Reason.UNKNOWN_ASSET,
}
NOTHING: frozenset[Reason] = frozenset()
OF_AUCTIONS = frozenset({
    Reason.AUCTION_CLOSED, Reason.OFF_TICK_PRICE, Reason.OFF_LOT_QUANTITY, Reason.WRONG_KEY,
    Reason.DUPLICATE_ID, Reason.AMOUNT_OUT_OF_RANGE,
})  # fmt: skip
"""What a bid breaks by the state of its auction at that moment, which no record tells."""


class Verdict(NamedTuple):
    """What is wrong with a record (None: not readable); `sure` where it cannot be applied."""

    record: dict[str, Any] | None
    faults: frozenset[Reason]
    sure: bool


class Judge:
    """Reads and judges the records of a partition, by the rules that the log ever told."""

    def __init__(self, rules: Rulebook, partition: int, partitions: int) -> None:
        self._rules = rules
        self._partition = partition
        self._partitions = partitions
        self._home: dict[str, bool] = {}
        self._settled_us = {
            payment["instrument_id"]: payment["event_time"]
            for payment in rules.payments.values()
            if payment["kind"] == "SETTLEMENT"
        }
        self._by_topic: dict[str, Callable[[Record], set[Reason]]] = {
            "fills": self._fill,
            "orders": self._order,
            "collateral": self._collateral,
            "transfers": self._leg,
            "auction-bids": self._bid,
            "prices": self._price,
            "funding": self._funding,
            "assets": self._table,
            "risk-params": self._table,
        }

    def judge(self, topic: str, entry: Entry) -> Verdict:
        """The record and the rules it breaks, its id against others' aside."""
        try:
            _, record = decode(entry.value, BY_NAME[topic].record)
        except RefusedRecord as refusal:
            return Verdict(None, frozenset({refusal.reason}), True)
        own = self._by_topic.get(topic)
        faults = own(record) if own else set()
        if BY_NAME[topic].sharing == "account":
            if entry.key != record["account_id"].encode() or not self._at_home(record):
                faults.add(Reason.WRONG_KEY)
            if not EARLIEST_US <= record["event_time"] < LATEST_US:
                faults.add(Reason.TIME_OUT_OF_RANGE)
        elif topic == "prices" and 0 < entry.timestamp_ms * 1_000 < record["event_time"] - AHEAD_US:
            faults.add(Reason.TIME_OUT_OF_RANGE)
        if faults:
            return Verdict(record, frozenset(faults), True)
        return Verdict(record, self._perhaps(topic, record, entry), False)

    def _at_home(self, record: Record) -> bool:
        """Whether the account belongs on this partition, as Java's murmur2 has it."""
        account = record["account_id"]
        home = self._home.get(account)
        if home is None:
            home = partition_of(account, self._partitions) == self._partition
            self._home[account] = home
        return home

    def _perhaps(self, topic: str, record: Record, entry: Entry) -> frozenset[Reason]:
        """Faults that a record has by some version of the rules: a listing may have come later."""
        if topic == "auction-bids":
            return OF_AUCTIONS
        faults: set[Reason] = set()
        if topic in ("fills", "orders") and len(self._rules.listings[record["instrument_id"]]) > 1:
            for listing in self._rules.listings[record["instrument_id"]]:
                faults |= _against(listing, record)
        if topic == "orders" and record["remaining_e8"]:
            settled_us = self._settled_us.get(record["instrument_id"])
            if settled_us is not None and settled_us < record["event_time"]:
                faults.add(Reason.SETTLED_INSTRUMENT)  # or dropped, where it came before that
        if entry.timestamp_ms < self._rules.last_listed_ms and topic != "instruments":
            for field, reason in NAMES.items():
                name = record.get(field)
                if name and self._rules.listed_ms.get(name, 0) > entry.timestamp_ms:
                    faults.add(reason)
        return frozenset(faults) if faults else NOTHING

    def _fill(self, record: Record) -> set[Reason]:
        faults = _empty(record, "account_id", "fill_id", "instrument_id", "fee_asset")
        contract = self._rules.contracts.get(record["instrument_id"])
        if record["fee_asset"] not in self._rules.listed_ms:
            faults.add(Reason.UNKNOWN_ASSET)
        price_e8, quantity_e8 = record["price_e8"], record["quantity_e8"]
        if price_e8 <= 0:
            faults.add(Reason.NON_POSITIVE_PRICE)
        if quantity_e8 <= 0:
            faults.add(Reason.NON_POSITIVE_QUANTITY)
        faults |= _large(record, "price_e8", "quantity_e8", "fee_e8", "isolated_margin_e8")
        if contract is None:
            faults.add(Reason.UNKNOWN_INSTRUMENT)
            return faults
        every = [_against(one, record) for one in self._rules.listings[record["instrument_id"]]]
        if all(every):
            faults.update(*every)
        if price_e8 > 0:
            base_e8 = rounded(quantity_e8 * contract.multiplier_e8, E8)
            if max(abs(value_e8(contract, quantity_e8, price_e8)), abs(base_e8)) > LIMIT_E8:
                faults.add(Reason.AMOUNT_OUT_OF_RANGE)
        return faults

    def _order(self, record: Record) -> set[Reason]:
        faults = _empty(record, "account_id", "order_id", "instrument_id")
        if record["price_e8"] <= 0:
            faults.add(Reason.NON_POSITIVE_PRICE)
        if record["remaining_e8"] < 0:
            faults.add(Reason.NON_POSITIVE_QUANTITY)
        faults |= _large(record, "price_e8", "remaining_e8")
        if record["instrument_id"] not in self._rules.contracts:
            faults.add(Reason.UNKNOWN_INSTRUMENT)
            return faults
        every = [_against(one, record) for one in self._rules.listings[record["instrument_id"]]]
        return faults.union(*every) if all(every) else faults

    def _collateral(self, record: Record) -> set[Reason]:
        faults = _empty(record, "account_id", "collateral_id", "asset")
        faults |= _large(record, "amount_e8") | self._unknown(record, "isolated_instrument_id")
        kind, amount_e8 = record["kind"], record["amount_e8"]
        if (kind == "DEPOSIT" and amount_e8 < 0) or (kind == "WITHDRAWAL" and amount_e8 > 0):
            faults.add(Reason.AMOUNT_OUT_OF_RANGE)
        if kind == "TRANSFER" and record["isolated_instrument_id"] is None:
            faults.add(Reason.MISSING_FIELD)
        return faults

    def _leg(self, record: Record) -> set[Reason]:
        faults = _empty(record, "account_id", "transfer_id", "bucket")
        if record["bucket"] != CROSS and record["bucket"] not in self._rules.contracts:
            faults.add(Reason.UNKNOWN_INSTRUMENT)
        return (
            faults
            | _large(record, "amount_e8", "quantity_e8", "cost_e8")
            | self._unknown(record, "instrument_id")
        )

    def _bid(self, record: Record) -> set[Reason]:
        faults = _empty(record, "account_id", "bid_id", "auction_id", "bidder")
        if record["price_e8"] <= 0:
            faults.add(Reason.NON_POSITIVE_PRICE)
        if record["quantity_e8"] <= 0:
            faults.add(Reason.NON_POSITIVE_QUANTITY)
        return faults | _large(record, "price_e8", "quantity_e8")

    def _unknown(self, record: Record, instrument_field: str) -> set[Reason]:
        faults: set[Reason] = set()
        if record["asset"] is not None and record["asset"] not in self._rules.listed_ms:
            faults.add(Reason.UNKNOWN_ASSET)
        name = record[instrument_field]
        if name is not None and name not in self._rules.contracts:
            faults.add(Reason.UNKNOWN_INSTRUMENT)
        return faults

    def _price(self, record: Record) -> set[Reason]:
        faults = _empty(record, "instrument_id", "source") | _large(record, "mark_e8", "index_e8")
        if not EARLIEST_US <= record["event_time"] < LATEST_US:
            faults.add(Reason.TIME_OUT_OF_RANGE)
        if record["instrument_id"] not in self._rules.contracts:
            faults.add(Reason.UNKNOWN_INSTRUMENT)
        if record["mark_e8"] <= 0:
            faults.add(Reason.NON_POSITIVE_PRICE)
        return faults

    def _funding(self, record: Record) -> set[Reason]:
        faults: set[Reason] = set()
        if record["instrument_id"] not in self._rules.contracts:
            faults.add(Reason.UNKNOWN_INSTRUMENT)
        contract = self._rules.contracts.get(record["instrument_id"])
        may_be_0 = record["kind"] == "SETTLEMENT" and not (contract and contract.inverse)
        if record["mark_e8"] < (0 if may_be_0 else 1):
            faults.add(Reason.NON_POSITIVE_PRICE)
        if not abs(record["rate"]) <= 1:
            faults.add(Reason.AMOUNT_OUT_OF_RANGE)
        return faults

    def _table(self, record: Record) -> set[Reason]:
        return {Reason.AMOUNT_OUT_OF_RANGE} if table_fault(record) else set()


def record_id(topic: str, record: Mapping[str, Any]) -> str | None:
    """The id that is applied once within a partition; None for topics without one."""
    if topic == "transfers":
        return f"{record['transfer_id']}#{record['leg']}"
    field = {"fills": "fill_id", "collateral": "collateral_id", "funding": "funding_id"}.get(topic)
    return str(record[field]) if field else None


def _against(listing: Record, record: Record) -> set[Reason]:
    """What a fill or an order breaks of one version of its instrument's listing."""
    faults: set[Reason] = set()
    quantity_e8 = record["remaining_e8" if "order_id" in record else "quantity_e8"]
    if "order_id" in record and not quantity_e8:
        return faults  # it is gone
    if listing["status"] == "SETTLED":
        faults.add(Reason.SETTLED_INSTRUMENT)
    if record["price_e8"] % max(listing["tick_e8"], 1):
        faults.add(Reason.OFF_TICK_PRICE)
    if quantity_e8 % max(listing["lot_e8"], 1):
        faults.add(Reason.OFF_LOT_QUANTITY)
    return faults


def _empty(record: Record, *fields: str) -> set[Reason]:
    for field in fields:
        if not record[field]:
            return {Reason.MISSING_FIELD}
    return set()


def _large(record: Record, *fields: str) -> set[Reason]:
    for field in fields:
        if not -LIMIT_E8 <= record[field] <= LIMIT_E8:
            return {Reason.AMOUNT_OUT_OF_RANGE}
    return set()
