"""What the screen leaves out would have changed nothing: the same outputs as without it."""

import random

import pytest

from risk.liquidation.stages import Ladder
from schemas.block import Int64s
from schemas.units import E8
from streams.processors.margin import Bools
from streams.processors.outputs import Output
from streams.processors.screen import Screen
from tests.streams.state.exchange import NOW_US, Bench, deposit, fill, mark, risk_params

PEOPLE = [f"p-{number}" for number in range(30)]
PRICES = {"BTC-PERP": 50_000, "ETH-PERP": 3_000, "BTC-INV": 50_000, "BTC-USDT": 50_000}
TRADED = ("BTC-PERP", "ETH-PERP", "BTC-INV")
TURNS = 150


def test_outputs_are_those_of_looking_at_every_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = set[str]()
    for seed in (3, 4, 5, 7):
        screened, looked_at = _outputs(seed)
        with monkeypatch.context() as patched:
            patched.setattr(Screen, "buckets", _everything)
            everything, all_of_them = _outputs(seed)
        assert screened == everything
        assert looked_at < all_of_them / 2
        kinds |= {one.values.get("level") or one.values["action"] for one in everything}
    told = {"WARNING", "CALL", "ESCALATED", "CURED", "REDUCE"}
    assert told <= kinds, "the markets were too calm to tell"


def _everything(screen: Screen, changed: Bools, touched: Int64s) -> Int64s:
    book = screen._ledger.book
    rows = book.buckets.live_rows()
    people: Int64s = rows[~book.accounts["system"][book.buckets["account"][rows]]]
    return people


def _bench() -> Bench:
    return Bench(ladder=Ladder(call_ms=100))


def _outputs(seed: int) -> tuple[list[Output], int]:
    """Margin calls and liquidations of a random market, and how many buckets were looked at."""
    chance, bench, outputs, looked_at = random.Random(seed), _bench(), list[Output](), 0
    decider = bench.cycle.decider
    choose = decider._screen.buckets

    def counted(changed: Bools, touched: Int64s) -> Int64s:
        nonlocal looked_at
        rows = choose(changed, touched)
        looked_at += len(rows)
        return rows

    decider._screen.buckets = counted  # type: ignore[method-assign]
    prices = dict(PRICES)
    for number, name in enumerate(PEOPLE):
        bench.send(
            "collateral", deposit(number, name, amount_e8=chance.randint(3, 60) * 1_000 * E8)
        )
        if chance.random() < 0.3:
            bench.send("collateral", deposit(100 + number, name, asset="BTC", amount_e8=E8 // 4))
    for turn in range(TURNS):
        now_us = (turn + 1) * 100_000
        for name in PRICES:
            moves = chance.random() < 0.6 or turn == 0
            drift = 0.0 if turn % 20 < 5 else (-0.0016, 0.0012)[turn // 20 % 2]
            prices[name] = round(prices[name] * (1 + drift + chance.gauss(0, 0.0006)))
            if moves:
                bench.send("prices", mark(now_us, name, prices[name]))
        for trade in range(chance.choice([0, 1, 2, 3])):
            name = chance.choice(TRADED)
            size_e8 = chance.randint(1, 4) * E8 * (200 if name == "BTC-INV" else 1) // 2
            bench.send("fills", fill(
                now_us + trade, chance.choice(PEOPLE), instrument_id=name,
                side=chance.choice(["BUY", "SELL"]), price_e8=prices[name] * E8,
                quantity_e8=size_e8, fee_asset="USDT",
            ))  # fmt: skip
        if turn == TURNS // 2:
            tiers = [{"floor_e8": 0, "initial_ppm": 30_000, "maintenance_ppm": 15_000}]
            changed = risk_params("BTC-PERP", version=2, effective_at=NOW_US, tiers=tiers)
            bench.send("risk-params", changed)
        bench.cycle.decide()
        told = bench.cycle.take_outputs()
        outputs += [one for one in told if one.topic in ("margin-calls", "liquidations")]
    return outputs, looked_at
