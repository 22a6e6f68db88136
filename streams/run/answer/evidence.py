"""What the topics say of one account: its inputs, what was decided about it, the rules of then."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from streams.audit.account import CROSS, AccountState
from streams.audit.broadcast import read_rules
from streams.audit.findings import Findings
from streams.audit.history import Partition, Step
from streams.audit.letters import Letters
from streams.audit.limits import Limits
from streams.audit.moments import state_before
from streams.audit.outputs import APPLIED, OF_FUNDS, Output, offsets_applied, outputs
from streams.audit.partition import Folder, Orders
from streams.audit.partitioner import partition_of
from streams.audit.penalties import open_orders
from streams.audit.reading import Log, Place
from streams.audit.rulebook import Record, Rulebook

ACCOUNT_TOPICS = frozenset({"collateral", "fills", "orders", "auction-bids"})
"""Topics of which only the account's own partition is read; legs of transfers meet in others."""
NOT_NEEDED = frozenset({"margin-state", "volatility", "insurance-fund"})


class UnknownAccountError(LookupError):
    """No record of the topics names the account."""


class Evidence(NamedTuple):
    """All that is known of an account; `log` lacks what has nothing to do with it."""

    account: str
    number: int
    """Its partition."""
    rules: Rulebook
    history: list[Step]
    decided: list[Output]
    """Its margin calls and liquidations, in their order."""
    legs: list[Record]
    """Of all transfers that it has a part in."""
    shed: list[Record]
    """Of insurance funds: what they told on `auctions`, and their orders on `liquidations`."""
    answers: list[Record]
    """Who stood for deleveraging."""
    limits: Limits

    @staticmethod
    def of(account: str, log: Log, orders: Orders, limits: Limits) -> "Evidence":
        """From a log as `wanted` chooses it. UnknownAccountError where nothing names it."""
        nothing = Findings()
        letters = Letters(log, nothing)
        rules = read_rules(log, letters, limits.stale_ms * 1_000)
        liquidations = list(outputs(log, "liquidations", nothing))
        folder = Folder(
            log,
            rules,
            letters=letters,
            findings=nothing,
            orders=orders,
            fees=(open_orders(liquidations), limits.penalty_ppm),
            running=True,
        )
        number = partition_of(account, partitions(log))
        part: Partition = folder.fold(number, {})
        history = part.histories(log, [account])[account]
        if not history:
            raise UnknownAccountError(f"no record of the topics names the account {account!r}")
        decided = [*outputs(log, "margin-calls", nothing), *liquidations]
        mine = [one for one in decided if one.record["account_id"] == account]
        mine.sort(key=lambda one: (one.record["event_time"], _number(one.record)))
        return Evidence(
            account,
            number,
            rules,
            history,
            mine,
            _legs_of(account, outputs(log, "transfers", nothing)),
            [
                *(one.record for one in outputs(log, "auctions", nothing)),
                *(one.record for one in liquidations if one.record["action"] in OF_FUNDS),
            ],
            [
                one.record
                for one in outputs(log, "deleveraging", nothing)
                if one.record["event"] == "ANSWERED"
            ],
            limits,
        )

    def at(self, time_us: int) -> AccountState:
        """The account by all that had happened by a moment of event time."""
        ends = dict.fromkeys(("collateral", "transfers", "fills"), 2**62)
        past = [step for step in self.history if step.record["event_time"] <= time_us]
        return state_before(past, self.rules, (self.account, self.number), ends, time_us)

    def before(self, decision: Output) -> AccountState:
        """The account as it was when that was decided."""
        if APPLIED not in decision.headers:
            return self.at(decision.record["event_time"])
        ends, due_us = offsets_applied(decision.headers), decision.record["event_time"]
        return state_before(self.history, self.rules, (self.account, self.number), ends, due_us)

    def fills_of(self, liquidation_id: str) -> list[Record]:
        """The account's fills that answer a liquidation order, each with its penalty."""
        return [
            step.record
            for step in self.history
            if step.is_fill and step.record["liquidation_id"] == liquidation_id
        ]

    def is_portfolio(self, bucket: str) -> bool:
        return bucket == CROSS and self.account in self.rules.portfolios


def partitions(log: Log) -> int:
    """Of the account topics."""
    return sum(1 for topic, _ in log if topic == "collateral")


def wanted(account: str, place: Place, count: int) -> bool:
    """Whether a place of the topics has to do with the account; `count`: of partitions."""
    topic, number = place
    if topic in ACCOUNT_TOPICS:
        return number == partition_of(account, count)
    return topic not in NOT_NEEDED


def _legs_of(account: str, legs: Iterable[Output]) -> list[Record]:
    every = [one.record for one in legs]
    mine = {leg["transfer_id"] for leg in every if leg["account_id"] == account}
    return [leg for leg in every if leg["transfer_id"] in mine]


def _number(record: dict[str, Any] | Record) -> int:
    identity = str(record.get("liquidation_id") or record["call_id"])
    number = identity.rpartition("/")[2]
    return int(number) if number.isdecimal() else 0
