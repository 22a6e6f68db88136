"""What a fill of a liquidation order must pay, by the order's own record."""

from typing import Any

import pytest

from schemas.units import E8
from streams.audit.account import Book
from streams.audit.penalties import OpenOrders, Told, penalty_e8
from streams.audit.rulebook import Contract, Rulebook
from tests.streams.state.exchange import fill, instrument

LINEAR = Contract(False, False, False, E8, "USDT", "BTC", "USDT")
INVERSE = Contract(True, False, False, 100 * E8, "BTC", "BTC", "USD")
FEE_PPM = 5_000


def order(number: int, time_us: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "account_id": "alice", "bucket": "cross", "liquidation_id": f"alice/cross/1/{number}",
        "action": "REDUCE", "event_time": time_us, "instrument_id": "BTC-PERP",
        "bankruptcy_price_e8": 48_000 * E8, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("side", "price", "bankruptcy", "paid"),
    [
        ("SELL", 50_000, 48_000, 250),  # 0.5% of 50,000: 2,000 are left
        ("SELL", 48_100, 48_000, 100),  # no more than what is left
        ("SELL", 48_000, 48_000, 0),
        ("SELL", 47_900, 48_000, 0),  # a fund does not pay for it
        ("BUY", 51_900, 52_000, 100),
        ("BUY", 52_100, 52_000, 0),
        ("SELL", 50_000, None, 250),  # nothing is bankrupt: all that it brings is left
        ("BUY", 50_000, None, 0),
    ],
)
def test_a_penalty_is_a_fee_and_no_more_than_what_is_left_above_bankruptcy(
    side: str, price: int, bankruptcy: int | None, paid: int
) -> None:
    made = fill(1, side=side, price_e8=price * E8, quantity_e8=E8)
    told = order(1, bankruptcy_price_e8=bankruptcy and bankruptcy * E8)
    assert penalty_e8(LINEAR, made, told, FEE_PPM) == paid * E8


def test_a_penalty_is_rounded_down_and_in_the_settlement_asset() -> None:
    made = fill(1, side="SELL", instrument_id="BTC-INV", price_e8=49_999 * E8, quantity_e8=7 * E8)
    told = order(1, instrument_id="BTC-INV", bankruptcy_price_e8=1 * E8)
    worth_e8 = round(700 * E8 * E8 / (49_999 * E8))
    assert penalty_e8(INVERSE, made, told, FEE_PPM) == worth_e8 * FEE_PPM // 1_000_000


def at(orders: OpenOrders, offset: int, name: str | None, **more: Any) -> str | None:
    found = orders.order_of(fill(1, side="SELL", liquidation_id=name, **more), offset)
    return found["liquidation_id"] if found else None


def test_only_the_order_of_the_open_step_asks_for_it() -> None:
    first, second, over = order(3), order(4, 2), order(5, 3, action="COMPLETED")
    orders = OpenOrders(Told(*one) for one in ((10, first), (20, second), (30, over)))
    names = [one["liquidation_id"] for one in (first, second)]
    assert at(orders, 9, names[0]) is None, "the order is not there yet"
    assert at(orders, 10, names[0]) == names[0]
    assert at(orders, 19, names[0]) == names[0]
    assert at(orders, 20, names[0]) is None, "its step is over"
    assert at(orders, 29, names[1]) == names[1]
    assert at(orders, 30, names[1]) is None, "the episode has ended"
    assert at(orders, 25, "alice/cross/1/99") is None
    assert at(orders, 25, names[1], margin_mode="ISOLATED") is None, "of another bucket"
    assert at(orders, 25, names[1], account_id="maker") is None, "who traded with it pays nothing"


def test_of_several_orders_in_one_step_none_asks_for_it() -> None:
    both = order(3), order(4, instrument_id="ETH-PERP")
    orders = OpenOrders(Told(10, one) for one in both)
    assert [at(orders, 12, one["liquidation_id"]) for one in both] == [None, None]


def test_a_penalty_goes_from_the_bucket_to_the_slice_of_the_partition() -> None:
    rules = Rulebook()
    rules.take_instrument(instrument("BTC-PERP", "LINEAR_PERP", "BTC", "USDT"), 0)
    book = Book(rules, 3)
    book.fill({**fill(1, side="SELL"), "penalty_e8": 7})
    balances = {name: state.balances for name, state in book.accounts().items()}
    assert balances["alice"] == {("cross", "USDT"): -7}
    assert balances["@penalties:USDT#3"] == {("cross", "USDT"): 7}
