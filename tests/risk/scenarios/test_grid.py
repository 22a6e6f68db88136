"""Scenario sets read from tables: what they hold, and what is refused."""

import tomllib
from pathlib import Path

import pytest

import risk.scenarios
from risk.margin.contingencies import ContingencyRule
from risk.margin.expiry_margin import ExpiryRule
from risk.margin.portfolio import PortfolioRule
from risk.scenarios.grid import Kind, ScenarioSet, VolatilityMove, parameters

SETS = Path(risk.scenarios.__path__[0]) / "sets"


def preset(name: str) -> dict:
    return tomllib.loads((SETS / f"{name}.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "scan", "tail", "skew"),
    [("span-16", 14, 2, 0), ("deribit-9x3", 27, 8, 0), ("derive-pmrm2", 23, 6, 2)],
)
def test_presets_have_the_published_number_of_scenarios(
    name: str, scan: int, tail: int, skew: int
) -> None:
    kinds = ScenarioSet.of(preset(name)["scenarios"]).kind.tolist()
    assert [kinds.count(kind) for kind in Kind] == [scan, tail, skew]


def test_every_table_of_the_presets_is_read() -> None:
    readers = {
        "scenarios": ScenarioSet.of,
        "portfolio": PortfolioRule.of,
        "contingencies": lambda table: parameters(ContingencyRule, table),
        "expiry_margin": lambda table: parameters(ExpiryRule, table),
    }
    for path in SETS.glob("*.toml"):
        for name, table in preset(path.stem).items():
            assert readers[name](table)


def test_a_grid_is_every_spot_with_every_volatility_and_then_single_scenarios() -> None:
    scenarios = ScenarioSet.of(
        {
            "spot_range": 0.1,
            "grid": {"spot": [-1.0, 0.5], "volatility": ["down", "up"]},
            "scenario": [
                {"move": 0.5, "weight": 0.2, "relief": 7.5},
                {"volatility": "linear"},
            ],
        }
    )
    assert scenarios.moves.tolist() == [-0.1, -0.1, 0.05, 0.05, 0.5, 0.0]
    down, up, none, linear = (
        VolatilityMove.DOWN, VolatilityMove.UP, VolatilityMove.NONE, VolatilityMove.LINEAR,
    )  # fmt: skip
    assert scenarios.volatility.tolist() == [down, up, down, up, none, linear]
    assert scenarios.weight.tolist() == [1, 1, 1, 1, 0.2, 1]
    assert scenarios.kind.tolist() == [Kind.SCAN] * 4 + [Kind.TAIL, Kind.SKEW]
    assert scenarios.relief_e8.tolist() == [0, 0, 0, 0, 750_000_000, 0]


def test_scenarios_have_names_for_the_desk() -> None:
    scenarios = ScenarioSet.of(
        {
            "scenario": [
                {"spot": -0.16, "volatility": "up"},
                {"spot": 0.045},
                {"volatility": "absolute"},
            ]
        }
    )
    assert [scenarios.name(index) for index in range(3)] == [
        "spot -16% vol up",
        "spot +4.5% vol unchanged",
        "skew absolute",
    ]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "at least one scenario"),
        ({"scenarios": []}, "'scenarios' is unknown"),
        ({"scenario": [{"sport": 1}]}, "'sport' is unknown"),
        ({"scenario": [{"spot": -1.0}]}, "0 or below"),
        ({"spot_range": 0.5, "scenario": [{"spot": -2.0}]}, "0 or below"),
        ({"scenario": [{"spot": 0.1, "move": 0.1}]}, "not both"),
        ({"scenario": [{"spot": float("nan")}]}, "finite"),
        ({"scenario": [{"spot": True}]}, "finite"),
        ({"scenario": [{"weight": -0.1}]}, "at least 0"),
        ({"scenario": [{"relief": -1}]}, "at least 0"),
        ({"scenario": [{"volatility": "sideways"}]}, "'sideways' is unknown"),
        ({"scenario": [{"kind": "guess"}]}, "'guess' is unknown"),
        ({"scenario": [{"volatility": "linear", "spot": 0.1}]}, "spot 0"),
        ({"scenario": [{"kind": "skew"}]}, "skew needs"),
        ({"grid": {"spots": [0.1]}}, "must be spot and volatility"),
        ({"scenario": [{}], "volatility": {"upp": 1}}, "'upp' is unknown"),
        ({"scenario": [{}], "volatility": {"up": "much"}}, "finite number"),
        ({"scenario": [{}], "volatility": {"absolute": 1}}, "true or false"),
        ({"scenario": [{}], "spot_range": 0}, "at least"),
        ({"scenario": [{}], "days_forward": -1}, "at least 0"),
    ],
)
def test_a_wrong_table_is_refused_with_its_reason(table: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ScenarioSet.of(table)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"loss": 1}, "'loss' is unknown"),
        ({"loss_factor": -0.1}, "at least 0"),
        ({"initial_factor": 0.9}, "at least 1"),
        ({"loss_factor": 0.12345678}, "6 decimals"),
    ],
)
def test_a_wrong_portfolio_rule_is_refused(table: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PortfolioRule.of(table)
