"""Margin states, calls and liquidations of a history computed anew with `risk/`."""

from collections.abc import Callable

from sinks.contents import changed
from sinks.reading import IncompleteHistoryError, require_whole, rows
from sinks.store import Store
from streams.base.settings import Settings
from streams.run.parts import limits
from streams.run.verify.decisions import CALLS, ORDERS, STATES, Decisions
from streams.run.verify.inputs import read_accounts, read_common
from streams.run.verify.mirror import RULES, Mirror
from streams.run.verify.partition import Partition, Report
from streams.run.verify.ticks import Ticks

WHOLE = ("instruments", "assets", "risk-params", "accounts", "prices", "fills", "collateral",
         "transfers", "funding", "orders", "dead-letters")  # fmt: skip
"""What follows from these is not known where rows of them are gone."""


class Verifier:
    """Goes through the partitions of a history one after the other."""

    def __init__(
        self, store: Store, settings: Settings, since_us: int, until_us: int,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:  # fmt: skip
        """`until_us` is not in the period; `tell` hears what is being done."""
        self._store = store
        self._settings = settings
        self._decisions = Decisions(store, since_us, until_us)
        self._before = Decisions(store, 0, since_us)
        self._until_us = until_us
        self._tell = tell
        self.report = Report()

    def run(self) -> Report:
        """IncompleteHistoryError where what the period rests on is not all there."""
        store = self._store
        require_whole(store, WHOLE)
        if store.query("SELECT 1 FROM orders LIMIT 1"):
            raise IncompleteHistoryError(
                "the history has open orders, whose part of the initial margin is not computed yet"
            )
        self._tell("rules and prices")
        common = read_common(store, self._settings.penalty_ppm)
        rules = [(topic, row) for topic in RULES for row in rows(store, topic)]
        prices = (
            row
            for row in rows(store, "prices")
            if row.offset not in common.refused.get(("prices", row.partition), ())
        )
        ticks = Ticks(prices, limits(self._settings))
        for topic in (*WHOLE, STATES, CALLS, ORDERS):
            self._tell(f"contents of {topic}")
            self.report.changed += changed(store, topic)
        for partition in self._decisions.partitions():
            self._tell(f"partition {partition}")
            mirror = Mirror(self._settings, rules, ticks, partition)
            accounts = read_accounts(store, partition, common, self._until_us)
            one = Partition(
                accounts, common, mirror=mirror, settings=self._settings, report=self.report
            )
            for time_us, said in self._before.of(partition):
                one.follow(time_us, said)
            for time_us, said in self._decisions.of(partition):
                one.check(time_us, said)
        return self.report
