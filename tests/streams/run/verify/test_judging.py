"""What is said of a margin call beside what its bucket was worth."""

from typing import Any

import pytest

from risk.liquidation.stages import Ladder
from schemas.units import E8
from sinks.reading import Row
from streams.base.settings import Settings
from streams.run.parts import limits
from streams.run.verify.holdings import Holdings
from streams.run.verify.judging import judge, levels_fit
from streams.run.verify.mirror import Held, Mirror
from streams.run.verify.ticks import Ticks
from tests.streams.state.exchange import NOW_US, asset, instrument

AT_US = NOW_US + 1_000_000
BUCKET = "BTC-PERP"


def cured(equity_e8: int) -> dict[str, Any]:
    nothing = ("initial_margin_e8", "maintenance_margin_e8", "shortfall_initial_e8",
               "shortfall_maintenance_e8", "top_up_e8")  # fmt: skip
    return {
        "event_time": AT_US, "account_id": "alice", "call_id": f"alice/{BUCKET}/1/2",
        "bucket": BUCKET, "episode": 1, "level": "CURED", "equity_e8": equity_e8,
        "deadline": None, "marks": [], **dict.fromkeys(nothing, 0),
    }  # fmt: skip


@pytest.mark.parametrize(("equity_e8", "fits"), [(0, True), (5 * E8, False)])
def test_an_isolated_bucket_that_was_closed_at_its_cost_is_worth_nothing(
    equity_e8: int, fits: bool
) -> None:
    """Its margin state leaves it out: a leg took its position, with all of its margin."""
    settings = Settings()
    perp = instrument(BUCKET, "LINEAR_PERP", "BTC", "USDT")
    rules = [
        ("instruments", Row(0, 0, perp)),
        ("assets", Row(0, 0, asset("USDT", None, []))),
    ]
    mirror = Mirror(settings, rules, Ticks([], limits(settings)), 0)
    mirror.advance(AT_US)
    mirror.put([Held("alice", Holdings({("cross", "USDT"): 76 * E8}, {}))])
    state = mirror.states(["alice"])["alice"]
    assert [one["bucket"] for one in state["buckets"]] == ["cross"]
    told = cured(equity_e8)
    assert levels_fit(mirror, told, state) == fits
    wrong = [] if fits else [f"equity of {BUCKET} is 5 stored, 0 computed"]
    assert list(judge(mirror, told, state, Ladder())) == wrong
