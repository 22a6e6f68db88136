"""Topics have no order between them: an account is right in any that a broker may have given."""

from typing import Any

import pytest

from schemas.block import Block
from schemas.units import E8
from streams.audit.auditor import audit
from streams.audit.findings import Findings
from streams.audit.reading import Entry
from streams.run.soak.verdict import accounts_of
from tests.streams.audit.recorded import Topics
from tests.streams.state.exchange import NOW_US, Bench, deposit, fill, mark


class RecordedBench(Bench):
    """Writes what it is sent down as topics of one partition."""

    def __init__(self) -> None:
        self.log: Topics = {(topic, 0): [] for topic in ("collateral", "fills", "transfers")}
        super().__init__()

    def raw(
        self, topic: str, run: list[tuple[bytes | None, bytes | None]], partition: int = 0
    ) -> Block:
        block = super().raw(topic, run, partition)
        rows = zip(
            block.offsets.tolist(), block.keys, block.values, block.timestamps_ms.tolist(),
            strict=True,
        )  # fmt: skip
        self.log.setdefault((topic, partition), []).extend(Entry(*row) for row in rows)
        return block

    def audit(self, **more_e8: int) -> Findings:
        """The audit; `more_e8` is added to cross balances of USDT."""
        engine = accounts_of(self.cycle)
        for name, e8 in more_e8.items():
            engine[name].balances["cross", "USDT"] += e8
        return audit(self.log, engine, {0: self.cycle.ledger.take_order(0)})


def leg(number: int, account: str, sign: int) -> dict[str, Any]:
    return {
        "event_time": NOW_US + 3, "account_id": account, "transfer_id": "t", "leg": number,
        "legs": 2, "kind": "TAKEOVER", "bucket": "cross", "asset": None, "amount_e8": 0,
        "instrument_id": "BTC-PERP", "quantity_e8": sign * E8, "cost_e8": sign * 50_000 * E8,
    }  # fmt: skip


@pytest.fixture
def bench() -> RecordedBench:
    bench = RecordedBench()
    bench.send("collateral", deposit(0), deposit(1, "bob"))
    bench.send("fills", fill(1), fill(2, "bob", side="SELL"))
    return bench


@pytest.fixture
def late_fill(bench: RecordedBench) -> RecordedBench:
    """A fill that is later than the legs of a takeover reaches the engine before them."""
    bench.send(
        "fills", fill(5, side="SELL", price_e8=51_000 * E8), fill(6, "bob", price_e8=51_000 * E8)
    )
    bench.send("transfers", leg(0, "alice", -1), leg(1, "@insurance:USDT", 1))
    return bench


@pytest.fixture
def early_payment(bench: RecordedBench) -> RecordedBench:
    """A payment is made before fills that are no later than it have come."""
    bench.send("funding", {
        "event_time": NOW_US + 9, "instrument_id": "BTC-PERP", "funding_id": "p", "rate": 1e-3,
        "mark_e8": 50_000 * E8,
    })  # fmt: skip
    bench.send("prices", mark(9))
    bench.cycle.decide()
    bench.send("fills", fill(8), fill(9, "bob", side="SELL"))
    return bench


@pytest.mark.parametrize("order", ["late_fill", "early_payment"])
def test_another_order_is_no_difference(order: str, request: pytest.FixtureRequest) -> None:
    bench: RecordedBench = request.getfixturevalue(order)
    findings = bench.audit()
    assert findings.clean, findings


@pytest.mark.parametrize("order", ["late_fill", "early_payment"])
def test_no_order_explains_a_unit_too_much(order: str, request: pytest.FixtureRequest) -> None:
    bench: RecordedBench = request.getfixturevalue(order)
    findings = bench.audit(alice=1)
    assert "alice" in {sentence.split(": ")[0] for sentence in findings.wrong}
    assert findings.unbalanced
