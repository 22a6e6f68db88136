"""Margin states, calls and liquidations of a history computed anew with `risk/`."""

from collections.abc import Callable

from sinks.contents import changed
from sinks.reading import Gone, IncompleteHistoryError, gone, rows
from sinks.store import Store
from streams.audit.minutes import clock
from streams.base.settings import Settings
from streams.run.parts import limits
from streams.run.verify.decisions import CALLS, ORDERS, STATES, Decisions
from streams.run.verify.inputs import read_accounts, read_common, read_orders
from streams.run.verify.mirror import RULES, Mirror
from streams.run.verify.opening import Openings
from streams.run.verify.partition import Partition, Report
from streams.run.verify.ticks import BACK_US, Ticks

WHOLE = ("instruments", "assets", "risk-params", "accounts", "prices", "fills", "collateral",
         "transfers", "funding", "orders", "dead-letters", ORDERS)  # fmt: skip
"""What follows from these is not known where rows of them are gone."""
ALL = frozenset({"instruments", "assets", "risk-params", "accounts", "orders"})
"""Of these any may be in force for ever."""
STORED_SQL = """SELECT toUnixTimestamp64Micro(max(newest)) AS until_us FROM ingest_blocks
WHERE topic = 'prices' AND state = 'STORED' AND at <= now64(3) - {recent_s:UInt32}"""
US_PER_S = 1_000_000


class Verifier:
    """Goes through the partitions of a history one after the other."""

    def __init__(
        self, store: Store, settings: Settings, since_us: int, until_us: int,
        tell: Callable[[str], None] = lambda _: None, *, recent_s: int = 0,
    ) -> None:  # fmt: skip
        """`until_us` is not in the period; `tell` hears what is being done.

        Where a sink is writing, the period ends with what was there `recent_s` ago: of what is
        younger, inputs may come after the decisions that rest on them.
        """
        self._store = store
        self._settings = settings
        if recent_s:
            until_us = min(until_us, _stored_us(store, recent_s) + 1)
        self._decisions = Decisions(store, since_us, until_us)
        self._period_us = (since_us, until_us)
        self._tell = tell
        self.report = Report()

    def run(self) -> Report:
        """IncompleteHistoryError where what the period rests on is not all there."""
        store = self._store
        begin_us = self._begin_us()
        since_us, until_us = self._period_us
        before = Decisions(store, begin_us, since_us)
        self._tell("rules and prices")
        common = read_common(store, self._settings.penalty_ppm)
        rules = [(topic, row) for topic in RULES for row in rows(store, topic)]
        prices = (
            row
            for row in rows(store, "prices")
            if row.offset not in common.refused.get(("prices", row.partition), ())
        )
        ticks = Ticks(prices, limits(self._settings))
        for topic in (*WHOLE, STATES, CALLS):
            self._tell(f"contents of {topic}")
            self.report.changed += changed(store, topic)
        for partition in self._decisions.partitions():
            self._tell(f"partition {partition}")
            mirror = Mirror(self._settings, rules, ticks, partition)
            accounts = read_accounts(store, partition, common, until_us)
            orders = read_orders(store, partition, common, until_us)
            one = Partition(
                accounts, common, orders=orders, openings=Openings(midway=begin_us > 0),
                mirror=mirror, settings=self._settings, report=self.report,
            )  # fmt: skip
            for decision in before.of(partition):
                one.follow(decision)
            for decision in self._decisions.of(partition):
                one.check(decision)
        return self.report

    def _begin_us(self) -> int:
        """The time from which all is there that decisions rest on; 0: always.

        IncompleteHistoryError where the period begins before that.
        """
        missing = gone(self._store, WHOLE)
        for one in missing:
            if one.until_us is None or one.topic in ALL:
                raise IncompleteHistoryError(f"{one}, so nothing can be recomputed")
        if not missing:
            return 0
        begin_us, one = max((_forgotten_us(one), one) for one in missing)
        if self._period_us[0] < begin_us:
            raise IncompleteHistoryError(
                f"{one}, so what was decided can be recomputed from {clock(begin_us)} UTC on: "
                f"give --from {clock(begin_us).replace(' ', 'T')}"
            )
        return begin_us


def _forgotten_us(one: Gone) -> int:
    """The second from which nothing rests on what is gone."""
    until_us = (one.until_us or 0) + (BACK_US if one.topic == "prices" else 0)
    return -(-until_us // US_PER_S) * US_PER_S


def _stored_us(store: Store, recent_s: int) -> int:
    """Event time of the newest price that was stored so many seconds ago; 0 for none."""
    return int(store.query(STORED_SQL, {"recent_s": recent_s})[0]["until_us"] or 0)
