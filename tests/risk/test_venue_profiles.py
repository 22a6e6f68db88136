"""One published example of each venue, through its profile and an evaluation."""

import tomllib
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from risk.evaluation import Kind
from risk.pricing.black76 import price
from risk.profile import Profile
from schemas.units import E8, PPM
from streams.state.profiles import load_profile, scenario_sets
from tests.risk.desks import Asset, Desk, Listed

USD = {"USD": Asset(haircut=())}


def changed(name: str, **parts: dict[str, Any]) -> Profile:
    """A profile that comes with the product, with other numbers in the named tables."""
    text = (files("risk") / "profiles" / f"{name}.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    for part, keys in parts.items():
        table[part] = {**table.get(part, {}), **keys}
    return Profile.of(table, scenario_sets(), name)


def test_binance_cross_with_two_positions() -> None:
    """The example of the venue's help page: the liquidation price of BTC with ETH beside it."""
    eth = [(0, 10_000, 5_000), (10_000, 13_000, 6_500), (100_000, 20_000, 10_000)]
    eth += [(500_000, 40_000, 20_000), (1_000_000, 100_000, 50_000), (2_000_000, 200_000, 100_000)]
    btc = [(0, 8_000, 4_000), (50_000, 10_000, 5_000), (250_000, 20_000, 10_000)]
    btc += [(1_000_000, 50_000, 25_000), (7_500_000, 100_000, 50_000)]
    desk = Desk(
        load_profile("binance-usdm"),
        {
            "BTC": Listed(31967.27, tiers=[(floor * E8, i, m) for floor, i, m in btc]),
            "ETH": Listed(1335.18, tiers=[(floor * E8, i, m) for floor, i, m in eth]),
        },
        positions=[(0, "BTC", 109.488, 32481.98), (0, "ETH", 3683.979, 1456.84)],
        balances=[(0, "USD", 1535443.01)],
    )
    maintenance = desk.evaluate().positions.maintenance_margin_e8 / E8
    assert maintenance[0] == pytest.approx(109.488 * 31967.27 * 0.025 - 16300)
    assert maintenance[1] == pytest.approx(3683.979 * 1335.18 * 0.1 - 135365)
    assert round(desk.liquidation_prices()[0], 2) == 26316.89


def test_bybit_deducts_by_tier_and_counts_the_fee_to_close() -> None:
    """Published: 2,000,000 at 0.5% and what is above at 0.56% (deduction 1,200), fee 0.055%."""
    tiers = [(0, 10_000, 5_000), (2_000_000 * E8, 11_200, 5_600)]
    desk = Desk(
        load_profile("bybit-linear"),
        {"BTC": Listed(25_000, tiers=tiers)},
        positions=[(0, "BTC", 100, None)],
        balances=[(0, "USD", 100_000)],
    )
    state = desk.evaluate().state
    assert state.maintenance_margin_e8[0] == (2_500_000 * 56 // 10_000 - 1_200 + 1_375) * E8


def test_okx_isolated_counts_the_fee_beside_the_rate_of_the_tier() -> None:
    """(entry + margin) / (1 + rate + fee), a short of 1 at 10, margin 2, rate 1%, fee 0.06%."""
    desk = Desk(
        changed("okx", tiers={"liquidation_fee": 0.0006}),
        {"X": Listed(10, tiers=[(0, 20_000, 10_000)])},
        kinds=[Kind.ISOLATED],
        positions=[(0, "X", -1, None)],
        balances=[(0, "USD", 2)],
    )
    assert desk.liquidation_prices()[0] == pytest.approx(11.87413417771621, rel=1e-8)


def test_okx_prices_the_whole_position_at_its_tier() -> None:
    tiers = [(0, 20_000, 10_000), (2_001 * E8, 30_000, 15_000)]
    desk = Desk(
        load_profile("okx"),
        {"X": Listed(1, tiers=tiers)},
        positions=[(0, "X", 2001, None)],
        balances=[(0, "USD", 1000)],
    )
    assert desk.evaluate().state.maintenance_margin_e8[0] == round(2001 * (0.015 + 0.0005) * E8)


def test_hyperliquid_isolated_as_the_live_venue_gave_it() -> None:
    desk = Desk(
        load_profile("hyperliquid"),
        {"ETH": Listed(2459.5, tier_class="50x")},
        kinds=[Kind.ISOLATED],
        positions=[(0, "ETH", 0.0199, None)],
        balances=[(0, "USD", 24.454895)],
    )
    assert desk.liquidation_prices()[0] == pytest.approx(1243.0411908, rel=1e-4)


def test_dydx_maintains_half_of_the_base_rate_whatever_the_open_interest() -> None:
    """A balance of -4,501 and 0.1 BTC at 50,000: equity 499, one below its maintenance of 500."""
    desk = Desk(
        changed(
            "dydx-v4",
            tiers={"open_interest_lower": 1_000_000, "open_interest_upper": 2_000_000},
        ),
        {"BTC": Listed(50_000, open_interest=1_500_000)},
        positions=[(0, "BTC", 0.1, 0)],
        balances=[(0, "USD", -4501)],
    )
    state = desk.evaluate().state
    assert state.equity_e8[0] == 499 * E8
    assert state.maintenance_margin_e8[0] == 500 * E8
    assert state.initial_margin_e8[0] == round(0.6 * 5_000 * E8)
    assert state.liquidatable()[0]


def test_drift_weighs_size_caps_profit_and_takes_the_worse_price() -> None:
    """Their case of a short of 6.15 at 21,050: 12,940.573769; profit counts up to 100 initially."""
    desk = Desk(
        load_profile("drift-v2"),
        {"BTC": Listed(21_050)},
        assets={"USD": Asset(haircut=()), "USDC": Asset(0.99, "BTC", (), 0.95)},
        positions=[(0, "BTC", -6.147540983, 25_000)],
        balances=[(0, "USDC", 1)],
        orders=[(0, "BTC", 0, 0, 1)],
    )
    state = desk.evaluate().state
    assert state.initial_margin_e8[0] / E8 == pytest.approx(12940.573769 + 0.01, abs=1e-5)
    assert state.initial_equity_e8[0] / E8 == pytest.approx(100 + 0.95)
    assert state.equity_e8[0] / E8 == pytest.approx(24282.786883 + 0.99, rel=1e-8)


def test_drift_charges_a_large_position_by_the_root_of_its_size() -> None:
    desk = Desk(
        load_profile("drift-v2"),
        {"BTC": Listed(100)},
        positions=[(0, "BTC", 2500, None)],
        balances=[(0, "USD", 1e6)],
    )
    state = desk.evaluate().state
    assert state.initial_margin_e8[0] == round(250_000 * (0.08 + 0.001 * 50) * E8)


def test_derive_standard_covered_short_call() -> None:
    """Their case 19: one ETH, which counts for a tenth, and a call sold at 1,800."""
    years = 500_400 / (365 * 86_400)
    forward, volatility = 1500.833279310994, 1.1492964832093617
    value = float(price(forward, 1800.0, years, volatility, True))
    desk = Desk(
        load_profile("derive-standard"),
        {
            "ETH": Listed(1505, index=1500),
            "ETH-F": Listed(forward, "ETH", days=years * 365),
            "ETH-C": Listed(value, "ETH", side=1, strike=1800, days=years * 365),
        },
        assets={"USD": Asset(haircut=()), "ETH": Asset(1500, "ETH")},
        positions=[(0, "ETH-C", -1, 0)],
        balances=[(0, "ETH", 1)],
    )
    initial, maintenance = desk.excess()
    assert maintenance == pytest.approx(25.622287925320023, rel=1e-6)
    assert initial == pytest.approx(-11.877712074679977, rel=1e-6)


def test_derive_standard_perpetual_beside_a_spread() -> None:
    """Their cases 17 and 5: a perpetual at 5% and 6.5%, and a spread that costs what it can lose.

    The perpetual is at 1,505 and was bought at 1,525."""
    years = 500_400 / (365 * 86_400)
    forward = 1500.833279310994
    low = float(price(forward, 1100.0, years, 1.198874027186882, True))
    high = float(price(forward, 1300.0, years, 1.0831894155098765, True))
    listed = {
        "ETH": Listed(1505, index=1500),
        "ETH-F": Listed(forward, "ETH", days=years * 365),
        "C1100": Listed(low, "ETH", side=1, strike=1100, days=years * 365),
        "C1300": Listed(high, "ETH", side=1, strike=1300, days=years * 365),
    }
    desk = Desk(
        load_profile("derive-standard"),
        listed,
        positions=[(0, "C1100", -1, 0), (0, "C1300", 1, 0), (0, "ETH", 1, 1525)],
    )
    initial, maintenance = desk.excess()
    assert maintenance == pytest.approx(-200 - 20 - 0.05 * 1505)
    assert initial == pytest.approx(-200 - 20 - 0.065 * 1505)


def test_derive_portfolio_margin_covered_call() -> None:
    """Their case 13: one BTC, which moves with the spot, and two calls sold at 100,000."""
    years, rate = 794_852 / (365 * 86_400), 0.15
    spot, forward, stable = 95663.50604855, 95776.67392708939, 1.00019088635
    volatility = 0.453803924321583
    value = float(
        price(forward, 100_000.0, years, volatility, True, discount=np.exp(-rate * years))
    )
    desk = Desk(
        load_profile("derive-pmrm2"),
        {
            "BTC": Listed(spot),
            "BTC-F": Listed(forward, "BTC", days=years * 365),
            "BTC-C": Listed(value, "BTC", side=1, strike=100_000, days=years * 365, rate=rate),
        },
        assets={"USD": Asset(haircut=()), "BTC": Asset(spot / stable, "BTC")},
        kinds=[Kind.PORTFOLIO],
        positions=[(0, "BTC-C", -2, 0)],
        balances=[(0, "BTC", 1)],
    )
    initial, maintenance = desk.excess()
    assert maintenance == pytest.approx(78744.92602874589, rel=1e-7)
    assert initial == pytest.approx(74395.66964312586, rel=1e-7)


def test_deribit_grid_of_nine_by_three() -> None:
    """The book of the published grid layout, by an independent pricer: worst in +16% vol up."""
    profile = changed(
        "deribit-pm",
        scenarios={"scenario": [], "volatility": {"up": 0.5, "down": 0.25}},
        contingencies={"basis_a_year": 0.0, "naked_short": 0.0},
    )
    desk = Desk(
        profile,
        {
            "BTC": Listed(60_000),
            "C": Listed(1, "BTC", side=1, strike=70_000, days=7, volatility=0.65),
            "P": Listed(1, "BTC", side=-1, strike=55_000, days=30, volatility=0.7),
        },
        kinds=[Kind.PORTFOLIO],
        positions=[(0, "C", -10, None), (0, "P", 5, None), (0, "BTC", -2, None)],
    )
    found = desk.evaluate()
    assert found.state.initial_margin_e8[0] / E8 == pytest.approx(61728.34612742011, rel=1e-9)
    assert found.state.maintenance_margin_e8[0] / E8 == pytest.approx(49382.676901936095, rel=1e-9)
    assert profile.scenario_name(int(found.worst[0])) == "spot +16% vol up"


def test_span_scanning_risk_of_a_strangle() -> None:
    """Ten strangles sold against two futures: active scenario 16, the extreme fall at 33%."""
    profile = changed("span-16", portfolio_options={"short_option_minimum": 0.0})
    option = {"underlying": "F", "days": 30, "volatility": 0.6}
    desk = Desk(
        profile,
        {
            "F": Listed(100, days=30, tiers=[]),
            "C": Listed(1, side=1, strike=105, **option),
            "P": Listed(1, side=-1, strike=95, **option),
        },
        kinds=[Kind.PORTFOLIO],
        positions=[(0, "C", -10, None), (0, "P", -10, None), (0, "F", 2, None)],
    )
    found = desk.evaluate()
    assert found.state.maintenance_margin_e8[0] / E8 == pytest.approx(61.25429050789028, rel=1e-9)
    assert found.state.initial_margin_e8[0] / E8 == pytest.approx(1.1 * 61.25429050789028, rel=1e-9)
    assert found.worst[0] + 1 == 16


def test_span_asks_a_minimum_for_short_options() -> None:
    option = {"underlying": "F", "days": 30, "volatility": 0.6}
    desk = Desk(
        changed("span-16", portfolio_options={"short_option_minimum": 0.05}),
        {"F": Listed(100), "C": Listed(0, side=1, strike=1000, **option)},
        kinds=[Kind.PORTFOLIO],
        positions=[(0, "C", -10, None)],
    )
    assert desk.evaluate().state.maintenance_margin_e8[0] == 10 * 5 * E8


def test_default_charges_perpetuals_by_their_tiers_alone() -> None:
    desk = Desk(
        load_profile("default"),
        {"BTC": Listed(100, tiers=[(0, 20_000, 10_000), (1000 * E8, 50_000, 25_000)])},
        positions=[(0, "BTC", 20, None)],
        balances=[(0, "USD", 100)],
    )
    state = desk.evaluate().state
    assert state.maintenance_margin_e8[0] == (10 + 25) * E8
    assert state.initial_margin_e8[0] == (20 + 50) * E8
    assert PPM * state.equity_e8[0] == 100 * E8 * PPM
