"""The exchange's books follow what takeovers, auctions and deleveraging move, also when refused."""

import pytest

from schemas.units import E8
from streams.market.books import Booking, Books
from streams.market.contracts import seeded_catalogue
from streams.market.events import CROSS
from streams.market.handovers import Handovers
from tests.streams.market.markets import leg

CATALOGUE = seeded_catalogue()
SOL = CATALOGUE.listings["SOL-PERP"]
MARKS = {"SOL-PERP": 180 * E8}
FUND = "@insurance:USDT"


class Room:
    """A winner that is short 10 at 200 and a fund that is long 10, bought at 190."""

    def __init__(self) -> None:
        self.books = Books(CATALOGUE, MARKS)
        self.books.book(SOL, Booking("winner", CROSS, -10 * E8, 200 * E8, 0))
        self.books.account(FUND).add(CROSS, "USDT", 50 * E8)
        self.handovers = Handovers(self.books)
        takeover = {"instrument_id": "SOL-PERP", "quantity_e8": 10 * E8, "cost_e8": 1_900 * E8}
        self.handovers.book(leg(FUND, "TAKEOVER", **takeover))

    def sums(self) -> tuple[int, int]:
        """Contracts held by both, and what both are worth at the mark."""
        accounts = ("winner", FUND)
        held = sum(self.books.quantity_e8(name, CROSS, "SOL-PERP") for name in accounts)
        return held, round(sum(self.books.equity_usd(name, CROSS) for name in accounts))

    def deleverage(self, quantity: int, price: int, transfer_id: str = "d/1") -> None:
        moved = {"instrument_id": "SOL-PERP", "quantity_e8": quantity * E8}
        cost_e8 = quantity * price * E8
        for number, (name, sign) in enumerate(((FUND, -1), ("winner", 1))):
            amounts = moved | {"quantity_e8": sign * quantity * E8, "cost_e8": sign * cost_e8}
            self.handovers.book(
                leg(name, "DELEVERAGE", transfer_id=transfer_id, number=number, **amounts)
            )

    def give_back(self, quantity: int, price: int, transfer_id: str = "d/1") -> None:
        amounts = {"quantity_e8": quantity * E8, "cost_e8": quantity * price * E8}
        for number, (name, sign) in enumerate((("@returns:USDT#3", -1), (FUND, 1))):
            signed = {key: sign * value for key, value in amounts.items()}
            self.handovers.book(
                leg(
                    name, "RETURN", transfer_id=f"{transfer_id}/return", number=number,
                    instrument_id="SOL-PERP", **signed,
                )
            )  # fmt: skip


def test_a_takeover_is_the_funds() -> None:
    room = Room()
    assert room.books.quantity_e8(FUND, CROSS, "SOL-PERP") == 10 * E8
    assert room.books.equity_usd(FUND, CROSS) == pytest.approx(50 - 100)


def test_a_deleveraged_winner_keeps_its_gain_less_the_concession_and_trades_nothing_more() -> None:
    room = Room()
    before = room.sums()
    room.deleverage(10, 185)
    assert room.books.quantity_e8("winner", CROSS, "SOL-PERP") == 0
    assert room.books.equity_usd("winner", CROSS) == pytest.approx(150)
    assert room.books.equity_usd(FUND, CROSS) == pytest.approx(0)
    assert room.sums() == before


def test_a_leg_is_booked_once() -> None:
    room = Room()
    room.deleverage(4, 185)
    room.deleverage(4, 185)
    assert room.books.quantity_e8("winner", CROSS, "SOL-PERP") == -6 * E8
    assert room.books.quantity_e8(FUND, CROSS, "SOL-PERP") == 6 * E8


@pytest.mark.parametrize("return_first", [True, False])
def test_a_refused_leg_changes_nothing_whichever_is_heard_first(return_first: bool) -> None:
    room = Room()
    worth = room.books.equity_usd("winner", CROSS), room.books.equity_usd(FUND, CROSS)
    steps = [lambda: room.deleverage(10, 185), lambda: room.give_back(10, 185)]
    for step in reversed(steps) if return_first else steps:
        step()
    assert room.books.quantity_e8("winner", CROSS, "SOL-PERP") == -10 * E8
    assert room.books.quantity_e8(FUND, CROSS, "SOL-PERP") == 10 * E8
    assert (room.books.equity_usd("winner", CROSS), room.books.equity_usd(FUND, CROSS)) == worth


def test_a_return_takes_back_only_the_leg_of_its_own_transfer() -> None:
    room = Room()
    room.deleverage(4, 185, "first")
    room.deleverage(4, 190, "second")
    room.give_back(4, 190, "second")
    assert room.books.account("winner").holdings[CROSS, "SOL-PERP"].cost_e8 == -1_260 * E8


def test_a_socialised_loss_is_taken_of_the_winners_gain_and_no_longer_the_funds() -> None:
    room = Room()
    before = room.sums()
    room.handovers.book(
        leg(FUND, "SOCIALISED_LOSS", transfer_id="s", asset="USDT", amount_e8=30 * E8)
    )
    room.handovers.book(
        leg(
            "winner", "SOCIALISED_LOSS", transfer_id="@socialised:USDT#1/1",
            instrument_id="SOL-PERP", cost_e8=30 * E8,
        )
    )  # fmt: skip
    assert room.sums() == before
    assert room.books.equity_usd("winner", CROSS) == pytest.approx(200 - 30)
    room.deleverage(10, 180)
    assert room.books.account("winner").balances_e8[CROSS, "USDT"] == 170 * E8
