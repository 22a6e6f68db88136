"""What moved the accounts of one partition, read from the history."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sinks.reading import Row, rows
from sinks.store import Store
from streams.audit.account import CROSS
from streams.audit.penalties import penalty_e8
from streams.audit.returns import CHECKED, returned
from streams.audit.rulebook import Record, Rulebook
from streams.run.verify.folding import STREAMS, Account
from streams.run.verify.holdings import Input
from streams.run.verify.resting import Resting

AHEAD_US = 3_600_000_000
"""Inputs may be later than the clock of the decision that had applied them, but not by more."""
OF_PARTITION = (
    "_partition = {partition:UInt16} AND "
    "event_time < fromUnixTimestamp64Micro({until:Int64}, 'UTC')"
)
REFUSED_SQL = """SELECT topic, partition, groupUniqArray(offset) AS offsets FROM dead_letters
GROUP BY topic, partition"""


class Common(NamedTuple):
    """What is the same for all partitions."""

    rulebook: Rulebook
    refused: Mapping[tuple[str, int], set[int]]
    """Topic and partition -> offsets of records that were not applied."""
    payments: list[Input]
    went_back: frozenset[str]
    """Ids of transfers of which legs were turned away."""
    penalty_ppm: int


def read_common(store: Store, penalty_ppm: int) -> Common:
    """Listings, payments, dead letters and returns of a whole history."""
    rulebook = Rulebook()
    for row in rows(store, "instruments"):
        rulebook.take_instrument(row.record, 0)
    refused: dict[tuple[str, int], set[int]] = defaultdict(set)
    for one in store.query(REFUSED_SQL):
        refused[one["topic"], int(one["partition"])] = set(map(int, one["offsets"]))
    payments = [
        Input(row.offset, row.record["event_time"], "funding", row.record)
        for row in _applied(rows(store, "funding"), "funding", refused)
    ]
    back = store.query("SELECT DISTINCT transfer_id FROM transfers WHERE kind = 'RETURN'")
    return Common(
        rulebook,
        refused,
        sorted(payments, key=lambda one: one.time_us),
        frozenset(one["transfer_id"] for one in back),
        penalty_ppm,
    )


def read_accounts(
    store: Store, partition: int, common: Common, until_us: int, account: str | None = None
) -> dict[str, Account]:
    """The accounts of a partition (or one of them) with all that moves them, none booked."""
    span = _span(partition, until_us, account)
    orders = _open_orders(row.record for row in _read(store, "liquidations", common, span))
    inputs: dict[str, dict[str, list[Input]]] = defaultdict(lambda: defaultdict(list))
    for topic in STREAMS[:-1]:
        for row in _read(store, topic, common, span):
            record = row.record
            if topic == "transfers" and _turned_away(record, common):
                continue  # moves nothing, so it cannot tell how far the topic was applied
            penalty = _penalty(record, orders, common) if topic == "fills" else 0
            one = Input(row.offset, record["event_time"], topic, record, penalty)
            inputs[record["account_id"]][topic].append(one)
    return {
        name: Account(
            name, [*(of_one[topic] for topic in STREAMS[:-1]), common.payments], common.rulebook
        )
        for name, of_one in inputs.items()
    }


def read_orders(
    store: Store, partition: int, common: Common, until_us: int, account: str | None = None
) -> Resting:
    """What the accounts of a partition (or one of them) had open, by their records."""
    return Resting(_read(store, "orders", common, _span(partition, until_us, account)))


def _span(partition: int, until_us: int, account: str | None) -> dict[str, Any]:
    return {"partition": partition, "until": until_us + AHEAD_US, "account": account or ""}


def _read(store: Store, topic: str, common: Common, span: Mapping[str, Any]) -> Iterator[Row]:
    """The records of a partition up to a time that were applied; of one account if one is named."""
    where = OF_PARTITION + (" AND account_id = {account:String}" if span["account"] else "")
    return _applied(rows(store, topic, where=where, parameters=span), topic, common.refused)


def _applied(
    found: Iterator[Row], topic: str, refused: Mapping[tuple[str, int], set[int]]
) -> Iterator[Row]:
    return (row for row in found if row.offset not in refused.get((topic, row.partition), ()))


def _turned_away(leg: Record, common: Common) -> bool:
    people = not leg["account_id"].startswith("@")
    return people and leg["kind"] in CHECKED and returned(leg["transfer_id"]) in common.went_back


def _open_orders(liquidations: Iterator[dict[str, Any]]) -> dict[str, Record]:
    """Orders by id whose fills pay a penalty: those that are alone in their step."""
    orders = [one for one in liquidations if one["action"] == "REDUCE"]
    steps = Counter((one["account_id"], one["bucket"], one["event_time"]) for one in orders)
    return {
        one["liquidation_id"]: one
        for one in orders
        if steps[one["account_id"], one["bucket"], one["event_time"]] == 1
    }


def _penalty(fill: Record, orders: Mapping[str, Record], common: Common) -> int:
    order = orders.get(fill["liquidation_id"] or "")
    bucket = fill["instrument_id"] if fill["margin_mode"] == "ISOLATED" else CROSS
    if order is None or (order["account_id"], order["bucket"]) != (fill["account_id"], bucket):
        return 0
    contract = common.rulebook.contracts[fill["instrument_id"]]
    return penalty_e8(contract, fill, order, common.penalty_ppm)
