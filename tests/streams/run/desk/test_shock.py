"""A shock moves what is on the underlying, and prices options anew."""

from typing import Any

import numpy as np
import pytest

from risk.pricing import black76
from schemas.units import E8
from streams.run.desk.book_file import BookFile
from streams.run.desk.fields import BookError
from streams.run.desk.shock import Shock, shocked
from streams.state.profiles import load_profile
from tests.streams.run.desk.documents import SMALL, changed, text

YEARS = (25 * 24 - 4) / (365 * 24)


def after(shock: str, document: Any = SMALL) -> BookFile:
    before = BookFile.of(text(document))
    return shocked(before, before.rules(load_profile("default")), Shock.of(shock))


def call(forward: float, volatility: float) -> float:
    return float(black76.price(forward, 60_000.0, YEARS, volatility, True))


def test_marks_indexes_and_assets_of_the_base_move() -> None:
    document = after("BTC=-15%", changed(("instruments", 1, "index"), "60010"))
    assert document.market.mark_e8[:2].tolist() == [51_000 * E8, 51_000 * E8]
    assert document.market.index_e8[1] == 5_100_850_000_000
    assert document.asset_price_e8().tolist() == [E8, 51_000 * E8]


def test_options_are_priced_at_the_shocked_forward_and_volatility() -> None:
    document = after("BTC=-15%,vol=+30%")
    assert document.market.mark_e8[2] / E8 == pytest.approx(call(51_000, 0.65), abs=1e-8)
    assert document.market.volatility[2] == 0.65


def test_an_underlying_moves_by_its_name_too() -> None:
    assert (after("BTC-USD=10%").market.mark_e8 == after("BTC=+10%").market.mark_e8).all()


def test_volatility_alone_leaves_the_other_marks() -> None:
    document = after("vol=-50%")
    assert document.market.mark_e8[:2].tolist() == [60_000 * E8, 60_000 * E8]
    assert document.market.mark_e8[2] / E8 == pytest.approx(call(60_000, 0.25), abs=1e-8)


def test_options_that_nothing_moves_keep_their_marks() -> None:
    ether = SMALL["instruments"][0] | {"instrument_id": "ETH-USD", "base": "ETH", "mark": "3000"}
    document = after("ETH=-20%", changed(("instruments", 3), ether))
    assert document.market.mark_e8.tolist() == [60_000 * E8, 60_000 * E8, 3_000 * E8, 2_400 * E8]


def test_without_a_volatility_the_one_of_the_mark_moves() -> None:
    mark = f"{call(60_000, 0.5):.8f}"
    document = changed(("instruments", 2, "volatility"), None)
    document = after("BTC=5%,vol=20%", changed(("instruments", 2, "mark"), mark, document))
    assert document.market.volatility[2] == pytest.approx(0.6, rel=1e-9)
    assert document.market.mark_e8[2] / E8 == pytest.approx(call(63_000, 0.6), rel=1e-9)


def test_premiums_paid_in_coin_stay_in_coin() -> None:
    document = changed(("instruments", 2, "settlement_asset"), "BTC")
    document = after("BTC=-10%", changed(("instruments", 2, "mark"), "0.05", document))
    expected = call(54_000, 0.5) / 54_000
    assert document.market.mark_e8[2] / E8 == pytest.approx(expected, abs=1e-8)


def test_the_fixed_price_of_an_asset_moves_with_its_name() -> None:
    document = changed(("assets", 1), {"asset": "BTC", "price": "60000"})
    assert after("BTC=-50%", document).asset_price_e8().tolist() == [E8, 30_000 * E8]


def test_what_is_held_stays_as_it_is() -> None:
    before, then = BookFile.of(text(SMALL)), after("BTC=-15%")
    assert (then.book.positions.cost_e8 == before.book.positions.cost_e8).all()
    np.testing.assert_array_equal(then.book.balances.amount_e8, before.book.balances.amount_e8)


@pytest.mark.parametrize(
    ("shock", "error"),
    [
        ("BTC", "shock 'BTC' is not NAME=PERCENT%"),
        ("BTC=-15", "shock 'BTC=-15' is not NAME=PERCENT%"),
        ("BTC=-15%,", "shock '' is not NAME=PERCENT%"),
        ("BTC=-100%", "shock 'BTC=-100%' leaves nothing"),
        ("BTC=1%,BTC=2%", "shock 'BTC=2%': BTC moves twice"),
        ("BTC=1%,BTC-USD=2%", "shock 'BTC-USD' moves what another part of the shock moves"),
        ("DOGE=1%", "shock 'DOGE' is no base and no underlying, known are BTC, BTC-USD"),
        ("BTC=99999%,BTC-PERP=1%", "shock 'BTC-PERP' is no base and no underlying"),
    ],
)
def test_errors_name_the_part_and_the_rule(shock: str, error: str) -> None:
    with pytest.raises(BookError) as raised:
        after(shock)
    assert str(raised.value).startswith(error)


def test_a_price_beyond_18_digits_is_refused() -> None:
    with pytest.raises(BookError, match="after the shock a price is beyond"):
        after("BTC=99999%", changed(("instruments", 0, "mark"), "9000000000"))
