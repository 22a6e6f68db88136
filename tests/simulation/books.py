"""A world's books: as a clerk writes them, and as a worker brings them back from changelogs."""

from collections import defaultdict
from typing import Any

from streams.processors.cycle import Cycle
from streams.state.partition_log import Image
from tests.reference.ledger import ClerksBook, value_e8
from tests.simulation.log import CHANGELOG
from tests.simulation.reading import Record, Topics
from tests.simulation.story import INSTRUMENTS
from tests.simulation.worker import block_of_entries

Amounts = dict[tuple[str, str, str], Any]


def brought_back(topics: Topics) -> Cycle:
    """A worker that was never there reads all changelogs."""
    cycle = Cycle(topics.partitions)
    for topic in ("instruments", "assets"):
        cycle.take_broadcast(
            block_of_entries(topic, 0, [entry for _, entry in topics.entries(topic, 0)])
        )
    for number in range(topics.partitions):
        image = Image()
        image.take((e.key, e.value) for _, e in topics.entries(CHANGELOG, number))
        cycle.take_partition(number, image.records)
    return cycle


def post(book: ClerksBook, topic: str, record: Record, bankruptcy_e8: int | None) -> None:
    if topic == "fills":
        book.fill(record, bankruptcy_e8)
    elif topic == "orders":
        book.order(record)
    elif topic == "collateral":
        book.collateral(record)
    elif topic == "transfers":
        owner = one_name(record["account_id"]), record["bucket"]
        if record["asset"]:
            book.balances[(*owner, record["asset"])] += record["amount_e8"]
        if record["instrument_id"]:
            book.add(*owner, record["instrument_id"], (record["quantity_e8"], record["cost_e8"]))
            book.settle_late(record["instrument_id"])


def one_name(account: str) -> str:
    """Slices of a system account go by one name, whatever their asset and partition."""
    return account.split(":", maxsplit=1)[0] if "#" in account else account


def pay(book: ClerksBook, payment: Record) -> None:
    """Longs pay notional x rate to shorts."""
    name = payment["instrument_id"]
    if payment["kind"] == "SETTLEMENT":
        book.settle(name, payment["mark_e8"])
        return
    asset, multiplier_e8 = (INSTRUMENTS[name][f] for f in ("settlement_asset", "multiplier_e8"))
    for (account, bucket, held), (quantity_e8, _) in list(book.positions.items()):
        if held == name and quantity_e8:
            value = value_e8(False, multiplier_e8, quantity_e8, payment["mark_e8"])
            amount_e8 = round(value * payment["rate"])
            book.balances[account, bucket, asset] -= amount_e8
            book.balances["@funding", "cross", asset] += amount_e8


def entries_of(cycle: Cycle) -> tuple[list[Amounts], list[Amounts]]:
    """Balances and positions of each partition, slices of system accounts under one name."""
    book, listed = cycle.ledger.book, cycle.ledger.rules
    balances: list[Amounts] = [defaultdict(int) for _ in range(cycle.ledger.partitions)]
    positions: list[Amounts] = [{} for _ in range(cycle.ledger.partitions)]

    def owner(bucket: int) -> tuple[int, str, str]:
        account, pool = book.account_of_bucket(bucket), int(book.buckets["instrument"][bucket])
        return (
            book.partition_of_bucket(bucket), one_name(account),
            "cross" if pool < 0 else listed.instruments[pool],
        )  # fmt: skip

    for row in book.balances.live_rows().tolist():
        number, *place = owner(int(book.balances["bucket"][row]))
        asset = listed.assets[int(book.balances["asset"][row])]
        balances[number][(*place, asset)] += int(book.balances["amount_e8"][row])
    for row in book.positions.live_rows().tolist():
        number, *place = owner(int(book.positions["bucket"][row]))
        name = listed.instruments[int(book.positions["instrument"][row])]
        held = (int(book.positions["quantity_e8"][row]), int(book.positions["cost_e8"][row]))
        if any(held):
            positions[number][(*place, name)] = held
    return [{k: v for k, v in one.items() if v} for one in balances], positions
