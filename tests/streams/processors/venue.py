"""A small exchange whose outputs are read back: one worker, several partitions, no clock."""

from collections import defaultdict, deque
from collections.abc import Callable
from itertools import chain
from typing import Any

from schemas.units import E8
from streams.processors.waterfall import FundRules
from tests.streams.state.exchange import NOW_US, Bench, deposit, fill, mark, risk_params

PARTITIONS = 4
FUND = "@insurance:USDT"
STEP_US = 100_000
NO_AUCTIONS = FundRules(auction_ms=0, gather_ms=500)
Record = dict[str, Any]


class Venue(Bench):
    """Everyone trades BTC-PERP; every record that the cycle writes for itself comes back to it."""

    def __init__(self, rules: FundRules = NO_AUCTIONS, partitions: int = PARTITIONS) -> None:
        super().__init__(partitions, fund_rules=rules)
        flat = [{"floor_e8": 0, "initial_ppm": 20_000, "maintenance_ppm": 10_000}]
        self.send("risk-params", risk_params("BTC-PERP", version=2, tiers=flat))
        self.told: dict[str, list[Record]] = defaultdict(list)
        self.unread: list[tuple[str, Record]] = []
        self.slow: deque[list[tuple[str, Record]]] = deque()
        """Legs are read as many decisions later than they could be as it has lists."""
        self.meanwhile: Callable[[], None] = lambda: None
        """Happens between a decision and the reading of what it wrote."""
        self._number = 0

    def trade(
        self, buyer: str, seller: str, price: int, contracts: float = 1, name: str = "BTC-PERP"
    ) -> None:
        size = {"quantity_e8": round(contracts * E8), "price_e8": price * E8}
        for account, side in ((buyer, "BUY"), (seller, "SELL")):
            self._number += 1
            self.send("fills", fill(self._number, account, side=side, instrument_id=name, **size))

    def bid(self, name: str, bidder: str, price: int, contracts: float) -> None:
        """A bid in the auction that was opened last."""
        self._number += 1
        opened = [one for one in self.told["auctions"] if one["event"] == "OPENED"][-1]
        record = {
            "event_time": NOW_US + self._number, "account_id": FUND, "bid_id": name,
            "auction_id": opened["auction_id"], "bidder": bidder, "price_e8": price * E8,
            "quantity_e8": round(contracts * E8),
        }  # fmt: skip
        self.send("auction-bids", record)

    def pay_in(self, account: str, amount: int) -> None:
        self._number += 1
        self.send("collateral", deposit(self._number, account, amount_e8=amount * E8))

    def tick(
        self, price: int, times: int = 1, *, name: str = "BTC-PERP", step_us: int = STEP_US
    ) -> None:
        """A mark, a decision, and what was written is read back; so many times."""
        for _ in range(times):
            self._number += step_us
            self.send("prices", mark(self._number, name, price))
            self.cycle.decide()
            self.read_back()

    def read_back(self) -> None:
        """Take what is published, check that nothing is lost between, and hand in what is ours."""
        for one in self.cycle.take_outputs():
            self.told[one.topic].append(dict(one.values))
            if one.topic in ("transfers", "deleveraging"):
                self.unread.append((one.topic, dict(one.values)))
        self.require_conserved()
        self.meanwhile()
        unread, self.unread = self.unread, []
        self.slow.append([one for one in unread if one[0] == "transfers"])
        unread = [one for one in unread if one[0] != "transfers"] + self.slow.popleft()
        for topic, record in unread:
            self.send(topic, record)
        for one in self.cycle.take_outputs():
            self.told[one.topic].append(dict(one.values))
            if one.topic in ("transfers", "deleveraging"):
                self.unread.append((one.topic, dict(one.values)))
        self.require_conserved()

    def require_conserved(self) -> None:
        """Balances are what came in; quantities and costs sum to zero; unread legs included."""
        paid_in: dict[str, int] = defaultdict(int)
        for (_, asset), amount in self.cycle.ledger.external_e8.items():
            paid_in[asset] += amount
        money: dict[str, int] = defaultdict(int)
        held: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        for (_, _, asset), amount in self.balances().items():
            money[asset] += amount
        for (_, _, instrument), pair in self.positions().items():
            held[instrument] = [a + b for a, b in zip(held[instrument], pair, strict=True)]
        for topic, leg in [*self.unread, *chain.from_iterable(self.slow)]:
            if topic == "transfers" and leg["asset"]:
                money[leg["asset"]] += leg["amount_e8"]
            elif topic == "transfers":
                pair = (leg["quantity_e8"], leg["cost_e8"])
                name = leg["instrument_id"]
                held[name] = [a + b for a, b in zip(held[name], pair, strict=True)]
        assert {k: v for k, v in money.items() if v} == {k: v for k, v in paid_in.items() if v}
        assert {name: pair for name, pair in held.items() if any(pair)} == {}

    def quantity(self, account: str, name: str = "BTC-PERP") -> float:
        return self.positions().get((account, "cross", name), (0, 0))[0] / E8

    def equity(self, account: str, price: int) -> float:
        """Balance and profit, USDT."""
        quantity, cost = self.positions().get((account, "cross", "BTC-PERP"), (0, 0))
        balance = self.balances().get((account, "cross", "USDT"), 0)
        return (balance + quantity * price - cost) / E8

    def kinds(self) -> dict[str, int]:
        """Transfers by kind."""
        found: dict[str, set[str]] = defaultdict(set)
        for leg in self.told["transfers"]:
            found[leg["kind"]].add(leg["transfer_id"])
        return {kind: len(ids) for kind, ids in found.items()}
