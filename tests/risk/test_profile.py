"""Profiles: read from files with every number checked, and made into rules."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from risk.holdings import Assets, Contracts, StepTable
from risk.profile import Profile
from schemas.units import E8, PPM
from streams.state.profiles import load_profile, profile_names, scenario_sets
from tests.risk.books import ints

VENUES = {
    "binance-usdm", "bybit-linear", "deribit-pm", "derive-pmrm2", "derive-standard", "drift-v2",
    "dydx-v4", "hyperliquid", "okx", "span-16",
}  # fmt: skip


def profile(**table: Any) -> Profile:
    return Profile.of(table, scenario_sets(), "one")


def test_the_profiles_of_the_product_load_by_name() -> None:
    assert set(profile_names()) == VENUES | {"default"}
    for name in profile_names():
        assert load_profile(name).name == name


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="profile 'kraken' is unknown, known are binance-usdm, "):
        load_profile("kraken")


def test_a_profile_loads_from_a_path_and_its_errors_name_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('[tiers]\nmethod = "whole"\n')
    assert load_profile(file).name == "mine"
    assert load_profile(str(file)).tier_class("default").method == "whole"
    file.write_text("[tiers]\nfees = 1\n")
    with pytest.raises(ValueError, match=r"mine\.toml: tiers: 'fees' is unknown, known are"):
        load_profile(file)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"tier": {}}, "profile: 'tier' is unknown"),
        ({"tiers": 3}, "tiers = 3 must be a table"),
        ({"tiers": {"method": "linear"}}, "method 'linear' is none of"),
        ({"tiers": {"liquidation_fee": 1.5}}, "tiers.liquidation_fee = 1.5 is outside 0..1"),
        ({"tiers": {"liquidation_fee": 0.00000055}}, "has more than 6 decimals"),
        ({"tiers": {"liquidation_fee": "1%"}}, "'1%' must be a number"),
        ({"tiers": {"initial_size_factor": 0.1}}, "is for method sqrt"),
        ({"tiers": {"open_interest_lower": 2}}, "open_interest_lower is above"),
        ({"tiers": {"table": [{"floor": 0, "initial": 0.1}]}}, "neither a maintenance rate nor"),
        ({"tiers": {"table": [{"floor": 5, "initial": 1, "maintenance": 1}]}}, "first floor is"),
        ({"tiers": {"table": [{"initial": 0.1, "maintenance": 0.2}]}}, "above the initial"),
        ({"tiers": {"table": {}}}, "must be a list of tables"),
        ({"classes": {"A": {"rate": 1}}}, "classes.A: 'rate' is unknown"),
        ({"collateral": {"strict_prices": 1}}, "must be true or false"),
        ({"collateral": {"profit_cap": -1}}, "must not be negative"),
        ({"collateral": {"haircut": [{"haircut": 2}]}}, "is outside 0..1"),
        ({"positions": {"larger": True}}, "positions: 'larger' is unknown"),
        ({"orders": {"fee": float("inf")}}, "must be a finite number"),
        ({"options": {"short_initial": -1}}, "must not be negative"),
        ({"options": {"short": 1}}, "'short' is unknown"),
        ({"options": {"long_initial": 2}}, "outside 0..1"),
        ({"scenario_set": "none"}, "scenario_set 'none' is unknown, known are"),
        ({"scenarios": {}}, "a set needs at least one scenario"),
        ({"scenario_set": "span-16", "offsets": {"historical": 2}}, "outside 0..1"),
        ({"scenario_set": "span-16", "tail": {"level": 2}}, "tail.level = 2 is outside 0..1"),
        ({"scenario_set": "span-16", "contingencies": {"x": 1}}, "'x' is unknown"),
        ({"scenario_set": "span-16", "portfolio_options": {"x": 1}}, "'x' is unknown"),
    ],
)
def test_what_is_not_understood_is_refused(table: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        profile(**table)


def test_a_table_of_the_profile_stands_before_its_scenario_set() -> None:
    rule = profile(
        scenario_set="deribit-9x3", scenarios={"spot_range": 0.2, "scenario": []}
    ).portfolio
    assert rule is not None
    assert len(rule.scenarios) == 27
    assert rule.scenarios.spot_range == 0.2
    assert rule.scenarios.volatility_shock.up == 0.5


def test_tiers_are_those_given_or_of_the_class() -> None:
    of = profile(
        tiers={"maintenance_fraction": 0.5, "table": [{"initial": 0.2}]},
        classes={
            "large": {"liquidation_fee": 0.001, "table": [{"initial": 0.03}]},
            "thin": {"open_interest_lower": 100, "open_interest_upper": 300},
        },
    )
    tiers = of.tiers(
        [None, None, [(0, 50_000, 30_000)], [], None],
        [PPM] * 5,
        classes=["default", "large", "large", "default", "thin"],
        open_interest_e8=ints([0, 0, 0, 0, 200 * E8]),
    )
    assert tiers.initial.rate_ppb[:, 0].tolist() == [
        200_000_000, 31_000_000, 51_000_000, 0, 600_000_000,
    ]  # fmt: skip
    assert tiers.maintenance.rate_ppb[:, 0].tolist() == [
        100_000_000, 16_000_000, 31_000_000, 0, 100_000_000,
    ]  # fmt: skip
    assert tiers.known.tolist() == [True, True, True, False, True]
    with pytest.raises(ValueError, match=r"class 'small' is unknown, known are \['default', "):
        of.tiers([None], [PPM], classes=["small"])


def test_rules_have_slow_prices_and_profit_limits_only_where_the_profile_says() -> None:
    every = np.ones(1, np.int64)
    contracts = Contracts(np.zeros(1, np.bool_), every, every * 0, every, every)
    assets = Assets(every, every, StepTable.of([[]]), every)
    plain = profile()
    rules = plain.rules(contracts, plain.tiers([[]], [PPM]), assets)
    assert rules.assets.slow_price_e8 is None
    assert (rules.larger_leg, rules.profit_weight_ppm, rules.profit_cap_e8) == (False, None, None)
    strict = profile(
        collateral={"strict_prices": True, "profit_weight": 0.9, "profit_cap": 100},
        positions={"larger_leg": True},
    )
    rules = strict.rules(contracts, strict.tiers([[]], [PPM]), assets)
    assert rules.assets.slow_price_e8 is every
    assert rules.larger_leg
    assert rules.profit_weight_ppm is not None
    assert rules.profit_weight_ppm.tolist() == [900_000]
    assert rules.profit_cap_e8 is not None
    assert rules.profit_cap_e8.tolist() == [100 * E8]


def test_a_scenario_has_a_name() -> None:
    found = load_profile("derive-pmrm2")
    assert [found.scenario_name(row) for row in (-2, -1, 0, 31)] == [
        "historical days", None, "spot -13.5% vol up", "basis",
    ]  # fmt: skip
    assert load_profile("okx").scenario_name(-1) is None
