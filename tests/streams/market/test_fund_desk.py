"""What an insurance fund holds is traded out slowly, towards zero and never through it."""

from schemas.units import E8
from streams.market.books import Booking, Books
from streams.market.contracts import seeded_catalogue
from streams.market.depth import Depth
from streams.market.events import CROSS, Event
from streams.market.fund_desk import LEAST_US, FundDesk
from streams.market.tape import Tape
from tests.streams.market.markets import auction

CATALOGUE = seeded_catalogue()
SOL = CATALOGUE.listings["SOL-PERP"]
INDICES = {"SOL-PERP": 200 * E8}
FUND = "@insurance:USDT"


class Floor:
    """A fund with one position, and its executor."""

    def __init__(self, held_e8: int, pace_ppm: int = 10_000) -> None:
        self.books = Books(CATALOGUE, INDICES)
        self.books.book(SOL, Booking(FUND, CROSS, held_e8, 200 * E8, 0))
        self.depth = Depth(CATALOGUE.listings)
        self.desk = FundDesk(
            CATALOGUE, books=self.books, depth=self.depth, tape=Tape(self.books),
            makers=("mm-01",), pace_ppm=pace_ppm,
        )  # fmt: skip

    def round(self, number: int) -> list[Event]:
        return self.desk.trade(number * LEAST_US, INDICES)

    def held_e8(self) -> int:
        return self.books.quantity_e8(FUND, CROSS, "SOL-PERP")


def test_a_round_takes_no_more_than_the_pace_and_the_end_is_flat() -> None:
    for sign in (1, -1):
        floor = Floor(sign * 1_000 * E8)
        left_e8 = abs(floor.held_e8())
        for number in range(100):
            most_e8 = floor.depth.within_percent_e8(SOL, INDICES["SOL-PERP"], number * LEAST_US)
            fills = floor.round(number)
            now_e8 = floor.held_e8() * sign
            assert 0 <= now_e8 <= left_e8
            assert left_e8 - now_e8 <= max(most_e8 // 100, SOL.lot_e8)
            assert all(event.record["liquidation_id"] is None for event in fills)
            left_e8 = now_e8
        assert left_e8 == 0
        assert floor.round(200) == []


def test_no_second_round_within_a_second() -> None:
    floor = Floor(1_000 * E8)
    assert floor.round(0)
    assert floor.desk.trade(LEAST_US - 1, INDICES) == []


def test_what_is_up_for_auction_waits_until_its_end() -> None:
    floor = Floor(1_000 * E8)
    floor.desk.hear(auction(E8, floor_e8=1))
    assert floor.round(0) == []
    floor.desk.hear(auction(E8, floor_e8=1, event="CLOSED"))
    assert {event.key for event in floor.round(1)} == {FUND, "mm-01"}


def test_a_pace_of_nothing_keeps_what_is_held() -> None:
    assert Floor(1_000 * E8, pace_ppm=0).round(0) == []
