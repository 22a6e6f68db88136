"""An inverse perpetual in a portfolio is paid in its coin, whatever prices the coin."""

import pytest

from risk.evaluation import Kind
from streams.state.profiles import load_profile
from tests.risk.desks import Asset, Desk, Listed

PRICE = 100_000.0


@pytest.mark.parametrize("underlying", ["", "BTC-PERP"])
@pytest.mark.parametrize("contracts", [1_000.0, -1_000.0])
def test_its_requirement_is_a_share_of_its_notional(underlying: str, contracts: float) -> None:
    desk = Desk(
        load_profile("default"),
        {
            "BTC-PERP": Listed(PRICE),
            "BTC-SPOT": Listed(PRICE),
            "BTC-INV": Listed(PRICE, underlying, inverse=True, multiplier=100.0, settlement="BTC"),
        },
        assets={"USD": Asset(haircut=()), "BTC": Asset(PRICE, "BTC-SPOT", haircut=())},
        kinds=[Kind.PORTFOLIO],
        positions=[(0, "BTC-INV", contracts, None)],
        balances=[(0, "USD", 1e6)],
    )
    maintenance = desk.evaluate().state.maintenance_margin_e8[0] / 1e8
    assert 0.1 * 100_000 < maintenance < 0.5 * 100_000
