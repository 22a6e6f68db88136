"""A document becomes exact columns, and its errors name path, value and rule."""

from typing import Any

import numpy as np
import pytest

from risk.book import Kind
from schemas.units import E8
from streams.run.desk.book_file import BookFile
from streams.run.desk.fields import BookError
from streams.state.profiles import load_profile
from tests.streams.run.desk.documents import SMALL, changed, text


def read(document: Any) -> BookFile:
    return BookFile.of(text(document))


def with_account(**members: Any) -> BookFile:
    return read(changed(("accounts",), [{"account_id": "a", "mode": "CROSS", **members}]))


def test_positions_balances_and_orders_become_columns() -> None:
    book = read(SMALL).book
    assert book.positions.instrument.tolist() == [1]
    assert book.positions.quantity_e8.tolist() == [E8]
    assert book.positions.cost_e8.tolist() == [59_000 * E8]
    assert book.balances.amount_e8.tolist() == [5_000 * E8]
    assert book.orders is not None
    assert book.orders.bids_e8.tolist() == [E8 // 2]
    assert book.orders.asks_e8.tolist() == [0]
    assert book.orders.count.tolist() == [1]


def test_numbers_are_exact_whether_text_or_json_numbers() -> None:
    raw = text(changed(("accounts", 0, "balances"), {"USD": "X", "BTC": "0.00000001"}))
    document = BookFile.of(raw.replace('"X"', "9007199254.74099301"))
    assert document.book.balances.amount_e8.tolist() == [900719925474099301, 1]


def test_a_json_number_may_have_an_exponent() -> None:
    raw = text(changed(("accounts", 0, "balances"), {"USD": "X"})).replace('"X"', "-1.5e3")
    assert BookFile.of(raw).book.balances.amount_e8.tolist() == [-1_500 * E8]


def test_the_entry_price_of_an_inverse_contract_becomes_its_cost() -> None:
    inverse = {
        **{key: SMALL["instruments"][1][key] for key in ("base", "mark", "tiers")},
        "instrument_id": "BTCUSD",
        "kind": "INVERSE_PERP",
        "settlement_asset": "BTC",
        "multiplier": "100",
    }
    position = {"instrument_id": "BTCUSD", "quantity": "-30", "entry_price": "50000"}
    document = changed(("instruments", 3), inverse)
    document = changed(("accounts", 0, "positions"), [position], document)
    assert read(document).book.positions.cost_e8.tolist() == [6 * E8 // 100]


def test_isolated_positions_have_buckets_of_their_own() -> None:
    collateral = {"collateral": {"USD": "700"}}
    position = {"instrument_id": "BTC-PERP", "quantity": "1", "cost": "60000"}
    document = with_account(
        balances={"USD": "5"},
        positions=[position, position | {"bucket": "ISOLATED"} | collateral],
    )
    assert [str(name) for name in document.buckets] == ["a/cross", "a/BTC-PERP"]
    assert document.book.kind.tolist() == [Kind.CROSS, Kind.ISOLATED]
    assert document.book.positions.bucket.tolist() == [0, 1]
    assert document.book.balances.bucket.tolist() == [0, 1]


def test_an_isolated_account_isolates_by_default_and_may_have_no_pool() -> None:
    position = {"instrument_id": "BTC-PERP", "quantity": "1", "cost": "60000"}
    document = with_account(mode="ISOLATED", positions=[position])
    assert [str(name) for name in document.buckets] == ["a/BTC-PERP"]
    assert document.book.kind.tolist() == [Kind.ISOLATED]


def test_an_account_without_anything_is_a_bucket() -> None:
    document = with_account(mode="PORTFOLIO")
    assert [str(name) for name in document.buckets] == ["a/cross"]
    assert document.book.kind.tolist() == [Kind.PORTFOLIO]


def test_the_profile_fills_in_what_the_document_leaves_open() -> None:
    okx = load_profile("okx")
    document = read(changed(("assets", 1, "haircuts"), None))
    rules = document.rules(okx)
    assert rules.assets.haircuts.known.tolist() == [False, True]
    assert rules.assets.haircuts.rate_ppb[1, 0] == 50_000_000
    assert rules.assets.price_e8.tolist() == [E8, 60_000 * E8]
    without = read(changed(("instruments", 1, "tiers"), None))
    assert without.rules(okx).tiers.initial.rate_ppb[1, 0] == 10_500_000


def test_daily_moves_stand_by_instrument() -> None:
    moves = read(changed(("daily_moves",), {"BTC-USD": ["-0.1", 0.05]})).market.moves
    assert moves is not None
    np.testing.assert_array_equal(moves, [[-0.1, 0, 0], [0.05, 0, 0]])


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        (
            ("accounts", 0, "positions", 0, "quantity"),
            "abc",
            'accounts[0].positions[0].quantity "abc" is not a number',
        ),
        (
            ("accounts", 0, "positions", 0, "quantity"),
            True,
            "accounts[0].positions[0].quantity true is not a number",
        ),
        (
            ("accounts", 0, "balances", "USD"),
            "0.123456789",
            'accounts[0].balances.USD "0.123456789" has more than 8 decimals',
        ),
        (
            ("accounts", 0, "balances", "USD"),
            "10000000000",
            'accounts[0].balances.USD "10000000000" is beyond 9,999,999,999.99999999',
        ),
        (
            ("accounts", 0, "balances", "USD"),
            float("nan"),
            "accounts[0].balances.USD NaN is not a number",
        ),
        (
            ("accounts", 0, "balances", "EUR"),
            "1",
            'accounts[0].balances.EUR "1" is of an asset that is not in assets',
        ),
        (
            ("accounts", 0, "positions", 0, "instrument_id"),
            "BTC-USD",
            'accounts[0].positions[0].instrument_id "BTC-USD" is of kind SPOT',
        ),
        (
            ("accounts", 0, "positions", 0, "instrument_id"),
            "XRP",
            'accounts[0].positions[0].instrument_id "XRP" is not in instruments',
        ),
        (
            ("accounts", 0, "positions", 0, "leverage"),
            "10",
            "accounts[0].positions[0].leverage is unknown, known are instrument_id, quantity",
        ),
        (("accounts", 0, "mode"), None, "accounts[0].mode is missing"),
        (("accounts", 1), SMALL["accounts"][0], 'accounts[1].account_id "anna" is listed twice'),
        (
            ("instruments", 1, "tiers"),
            [["0", "0.02", "0.03"]],
            "instruments[1].tiers [...] is no table of tiers: maintenance rate 30000 ppm is above",
        ),
        (
            ("instruments", 1, "tiers"),
            [["0", "0.02"]],
            "instruments[1].tiers[0] [...] is not [floor, initial, maintenance]",
        ),
        (
            ("instruments", 1, "tiers"),
            [["0", "0.0000001", "0"]],
            'instruments[1].tiers[0][1] "0.0000001" has more than 6 decimals',
        ),
        (
            ("assets", 1, "haircuts"),
            [["10", "0.1"]],
            "assets[1].haircuts [...] is no table of haircuts: first floor is 1000000000",
        ),
        (
            ("instruments", 2, "underlying"),
            "BTC-PERP",
            'instruments[2].underlying "BTC-PERP" is itself written on BTC-USD',
        ),
        (
            ("instruments", 0, "settlement_asset"),
            "EUR",
            'instruments[0].settlement_asset "EUR" is not in assets',
        ),
        (
            ("instruments", 2, "expiry"),
            "2026-02-30T08:00:00Z",
            'instruments[2].expiry "2026-02-30T08:00:00Z" is not a time there ever is',
        ),
        (("time",), None, "time is missing: options need one"),
        (
            ("daily_moves",),
            {"BTC-USD": ["0.1"], "BTC-PERP": []},
            "daily_moves.BTC-PERP [] has another number of days",
        ),
        (("assets", 0, "price_instrument_id"), "BTC-USD", "assets[0] {...} must have one of price"),
    ],
)
def test_errors_name_path_value_and_rule(path: tuple[Any, ...], value: Any, error: str) -> None:
    with pytest.raises(BookError) as raised:
        read(changed(path, value))
    assert str(raised.value).startswith(error)


def test_a_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(BookError, match=r"assets\[0\]\.price stands twice"):
        BookFile.of('{"assets": [{"asset": "A", "price": 1, "price": 2}], "instruments": []}'[:-1]
                    + ', "accounts": []}')  # fmt: skip


@pytest.mark.parametrize("raw", ["", "{", "[" * 100_000, "{} {}"])
def test_what_is_no_json_is_refused(raw: str) -> None:
    with pytest.raises(BookError, match="no JSON document"):
        BookFile.of(raw)


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(BookError, match=r"the document \[\] is not an object"):
        BookFile.of("[]")


def test_what_the_profile_cannot_margin_is_refused_by_its_place() -> None:
    default, binance = load_profile("default"), load_profile("binance-usdm")
    without = read(changed(("instruments", 1, "tiers"), None))
    with pytest.raises(BookError, match=r"accounts\[0\]\.positions\[0\] .* there are no tiers"):
        without.rules(default)
    option = {"instrument_id": "BTC-C", "quantity": "-1", "cost": "-3000"}
    with pytest.raises(BookError, match=r"positions\[0\] .* is an option, and profile binance"):
        with_account(positions=[option]).rules(binance)
    with pytest.raises(BookError, match=r"positions\[0\] .* is in a portfolio, and profile"):
        with_account(mode="PORTFOLIO", positions=[option]).rules(binance)
    classed = read(changed(("instruments", 1, "tier_class"), "meme"))
    with pytest.raises(BookError, match=r'instruments\[1\]\.tier_class "meme" is no class of'):
        classed.rules(default)


def test_a_bucket_is_found_by_its_name_or_its_account() -> None:
    position = {"instrument_id": "BTC-PERP", "quantity": "1", "cost": "60000"}
    document = with_account(positions=[position, position | {"bucket": "ISOLATED"}])
    assert document.bucket_row("a/BTC-PERP") == 1
    assert read(SMALL).bucket_row("anna") == 0
    with pytest.raises(BookError, match="'a' has several buckets, known are a/cross, a/BTC-PERP"):
        document.bucket_row("a")
    with pytest.raises(BookError, match="'b' is no bucket"):
        document.bucket_row("b")
