"""Liquidation orders: reduce-only, within the limit price, once each."""

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.units import E8
from streams.market.books import Booking, Books
from streams.market.contracts import seeded_catalogue
from streams.market.depth import MARK_SHARE, Depth
from streams.market.events import CROSS, Event
from streams.market.execution import Execution
from streams.market.tape import Tape
from tests.streams.market.markets import order

CATALOGUE = seeded_catalogue()
LISTING = CATALOGUE.listings["SOL-PERP"]
INDEX_E8 = 200 * E8
INDICES = {"SOL-PERP": INDEX_E8}
LOT_E8 = LISTING.lot_e8


class Desk:
    """One account with one position, and the order desk."""

    def __init__(self, quantity_e8: int, bucket: str = CROSS) -> None:
        self.books = Books(CATALOGUE, INDICES)
        self.depth = Depth(CATALOGUE.listings)
        self.execution = Execution(
            CATALOGUE,
            books=self.books,
            depth=self.depth,
            tape=Tape(self.books),
            makers=("mm-01", "mm-02"),
        )
        self.bucket = bucket
        self.books.book(LISTING, Booking("acc", bucket, quantity_e8, INDEX_E8, 0))

    def execute(self, now_us: int = 0, **changes: object) -> tuple[Event, ...]:
        record = {**order("acc", "SOL-PERP", bucket=self.bucket), **changes}
        return self.execution.execute(record, now_us, INDICES)

    def left_e8(self) -> int:
        return self.books.quantity_e8("acc", self.bucket, "SOL-PERP")


@settings(max_examples=200, deadline=None)
@given(
    lots=st.integers(-(10**7), 10**7).filter(bool),
    orders=st.lists(
        st.tuples(
            st.sampled_from(["BUY", "SELL"]),
            st.integers(1, 2 * 10**7),
            st.one_of(st.none(), st.integers(100 * E8, 300 * E8)),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_reducing_never_flips_and_never_breaks_the_limit(
    lots: int, orders: list[tuple[str, int, int | None]]
) -> None:
    desk = Desk(lots * LOT_E8)
    for number, (side, quantity_lots, limit_e8) in enumerate(orders):
        before = desk.left_e8()
        fills = desk.execute(
            number * 250_000,
            side=side,
            quantity_e8=quantity_lots * LOT_E8,
            limit_price_e8=limit_e8,
            liquidation_id=f"l-{number}",
        )
        after = desk.left_e8()
        assert abs(after) <= abs(before)
        assert after * lots >= 0
        for fill in fills:
            assert fill.record["quantity_e8"] == abs(before - after)
            assert fill.record["price_e8"] % LISTING.tick_e8 == 0
            if limit_e8 is not None:
                price_e8 = fill.record["price_e8"]
                assert price_e8 >= limit_e8 if side == "SELL" else price_e8 <= limit_e8


def test_a_repeated_order_is_answered_once() -> None:
    desk = Desk(100 * E8)
    wanted = {"side": "SELL", "quantity_e8": 10 * E8}
    assert len(desk.execute(**wanted)) == 2
    assert desk.execute(**wanted) == ()
    assert desk.left_e8() == 90 * E8


def test_both_fills_name_the_order_and_the_account_keeps_its_margin_mode() -> None:
    for bucket, mode in ((CROSS, "CROSS"), ("SOL-PERP", "ISOLATED")):
        taken, made = Desk(E8, bucket).execute(side="SELL", quantity_e8=E8)
        assert taken.record["margin_mode"] == mode
        assert made.record["margin_mode"] == "CROSS"
        assert taken.record["liquidation_id"] == made.record["liquidation_id"] == "l-1"
        assert made.key.startswith("mm-")


def test_nothing_fills_beyond_the_limit() -> None:
    desk = Desk(100 * E8)
    assert desk.execute(side="SELL", quantity_e8=E8, limit_price_e8=201 * E8) == ()
    assert desk.left_e8() == 100 * E8


def test_a_large_order_fills_in_part_and_moves_the_mark() -> None:
    desk = Desk(10**6 * E8)
    fills = desk.execute(side="SELL", quantity_e8=10**6 * E8, limit_price_e8=198 * E8)
    assert 0 < fills[0].record["quantity_e8"] < 10**6 * E8
    assert 198 * E8 < fills[0].record["price_e8"] < INDEX_E8
    mark_e8 = desk.depth.mark_e8(LISTING, INDEX_E8, 0)
    assert abs(mark_e8 - (INDEX_E8 - 2 * E8 * MARK_SHARE)) < E8 // 10
    assert mark_e8 < desk.depth.mark_e8(LISTING, INDEX_E8, 8_000_000) < INDEX_E8
    assert desk.depth.mark_e8(LISTING, INDEX_E8, 600_000_000) == INDEX_E8


def test_a_second_order_finds_the_book_used_up() -> None:
    desk = Desk(10**6 * E8)
    first = desk.execute(side="SELL", quantity_e8=5_000 * E8)
    second = desk.execute(side="SELL", quantity_e8=5_000 * E8, liquidation_id="l-2")
    later = desk.execute(60_000_000, side="SELL", quantity_e8=5_000 * E8, liquidation_id="l-3")
    price = [fills[0].record["price_e8"] for fills in (first, second, later)]
    assert price[1] < price[0]
    assert price[2] > price[1]


def test_orders_the_exchange_cannot_execute_do_nothing() -> None:
    desk = Desk(E8)
    assert desk.execute(side="BUY", quantity_e8=E8) == ()
    for number, action in enumerate(("CANCEL_ORDERS", "COMPLETED", "ABORTED", "AUCTION")):
        assert (
            desk.execute(action=action, side="SELL", quantity_e8=E8, liquidation_id=f"i-{number}")
            == ()
        )
    assert desk.execute(side="SELL", quantity_e8=E8, instrument_id="NONE", liquidation_id="x") == ()
    assert desk.left_e8() == E8


def test_a_takeover_without_an_instrument_drops_the_bucket() -> None:
    desk = Desk(E8)
    desk.books.account("acc").add(CROSS, "USDT", 5)
    assert desk.execute(action="TAKE_OVER", instrument_id=None) == ()
    account = desk.books.account("acc")
    assert not account.holdings
    assert not account.balances_e8
    assert account.stopped == {CROSS}
