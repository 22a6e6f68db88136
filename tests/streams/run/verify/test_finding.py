"""Which inputs of an account are taken to be booked when a record of it was made."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.block import Block
from schemas.record_codec import encode
from schemas.topics import BY_NAME
from schemas.units import E8
from sinks.clickhouse import Delivery, create_tables, deliver
from sinks.store import Store
from streams.audit.rulebook import Rulebook
from streams.run.verify.finding import find
from streams.run.verify.folding import STREAMS, Account, Applied
from streams.run.verify.holdings import Holdings, Input
from streams.run.verify.inputs import read_accounts, read_common
from tests.streams.state.exchange import NOW_US, fill, instrument

AT_US = NOW_US + 1_000_000
BOUGHT = Holdings({}, {("cross", "BTC-PERP"): (E8, 50_000 * E8)})
PERP = instrument("BTC-PERP", "LINEAR_PERP", "BTC", "USDT")


def leg(number: int, account: str = "alice", **more: Any) -> dict[str, Any]:
    return {
        "event_time": NOW_US + number, "account_id": account, "transfer_id": f"t-{number}",
        "leg": 0, "legs": 2, "kind": "DELEVERAGE", "bucket": "cross", "asset": None,
        "amount_e8": 0, "instrument_id": "BTC-PERP", "quantity_e8": -E8,
        "cost_e8": -40_000 * E8, "more": 0, **more,
    }  # fmt: skip


def put(store: Store, topic: str, *records: dict[str, Any]) -> None:
    n = len(records)
    values = [encode(BY_NAME[topic].record, record) for record in records]
    block = Block(topic, 0, np.arange(n), [b"key"] * n, values, np.zeros(n, np.int64))
    deliver(store, Delivery(block, "id"))


def account_of(**streams: Sequence[dict[str, Any]]) -> Account:
    """Its inputs, all of a topic at offsets 10, 20 and so on."""
    rules = Rulebook()
    rules.take_instrument(PERP, 0)
    inputs = [
        [
            Input(10 * place, record["event_time"], topic, record)
            for place, record in enumerate(streams.get(topic, ()), 1)
        ]
        for topic in STREAMS
    ]
    return Account("alice", inputs, rules)


def found(account: Account, stored: Holdings, applied: Applied) -> tuple[int, ...] | None:
    """How many legs and fills are taken to be booked where the account holds that."""
    node = find(account, lambda held: held == stored, stored, applied, AT_US)
    return None if node is None else node.counts[1:3]


@pytest.mark.embedded
def test_a_leg_that_was_turned_away_does_not_tell_how_far_its_topic_was_applied(
    tmp_path: Path,
) -> None:
    back = leg(9, "@returns:USDT#0", kind="RETURN", transfer_id="t-1/return", quantity_e8=E8)
    with Store(f"chdb://{tmp_path / 'history'}") as store:
        create_tables(store)
        put(store, "instruments", PERP)
        put(store, "transfers", leg(1, "@insurance:USDT"), leg(1), back)
        put(store, "fills", fill(2))
        alice = read_accounts(store, 0, read_common(store, 0), AT_US)["alice"]
    node = find(alice, lambda held: held == BOUGHT, BOUGHT, Applied({}, {}), AT_US)
    assert node is not None
    assert alice.span(node) == ({"fills": 1}, {})


def test_an_offset_that_another_account_named_wrongly_is_not_held_to() -> None:
    legs = [leg(2 * number, quantity_e8=number * E8, cost_e8=0) for number in range(90)]
    fills = [fill(2 * number + 1) for number in range(90)]
    alice = account_of(transfers=legs, fills=fills)
    quantity_e8 = (sum(range(60)) + 50) * E8
    stored = Holdings({}, {("cross", "BTC-PERP"): (quantity_e8, 50 * 50_000 * E8)})
    assert found(alice, stored, Applied({"transfers": 851}, {})) == (60, 50)


@pytest.mark.parametrize("first", [1, 3])
def test_what_was_applied_is_booked_in_any_order(first: int) -> None:
    """The leg closes what the fill opened, or the other way about: the same, at other times."""
    alice = account_of(transfers=[leg(first)], fills=[fill(2), fill(4)])
    closed = Holdings({("cross", "USDT"): -10_000 * E8}, {})
    ends = {"transfers": 15, "fills": 15}
    assert found(alice, closed, Applied.exactly(ends)) == (1, 1)


def test_no_more_and_no_less_is_booked_than_was_applied() -> None:
    alice = account_of(transfers=[leg(1)], fills=[fill(2), fill(4)])
    for fills in (10, 21):
        assert found(alice, BOUGHT, Applied.exactly({"fills": fills})) is None
    assert found(alice, BOUGHT, Applied.exactly({"fills": 20})) == (0, 1)
