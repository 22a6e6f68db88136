"""Whether each liquidation follows from marks that were and from what the bucket then held."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from streams.audit.account import CROSS, AccountState, Book
from streams.audit.findings import Findings
from streams.audit.history import Partition, Step
from streams.audit.limits import Limits
from streams.audit.margin import Margin, NotPricedError, margin
from streams.audit.outputs import APPLIED, Output, offsets_applied
from streams.audit.partition import LATE_US
from streams.audit.partitioner import partition_of
from streams.audit.reading import Log
from streams.audit.rulebook import Rulebook, Tick

ORDERS = frozenset({"REDUCE", "TAKE_OVER"})
LAST_TICKS = 4
"""A price that no record tells was one of the last few before the decision."""


class Decisions:
    """Checks the orders among the liquidations; marks age by event time."""

    def __init__(
        self,
        rules: Rulebook,
        findings: Findings,
        *,
        limits: Limits,
        tolerance_e8: int,
    ) -> None:
        self._rules = rules
        self._findings = findings
        self._deviation_ppm, self._wide_ppm = limits.deviation_ppm, limits.wide_ppm
        self._stale_us = limits.stale_ms * 1_000
        self._tolerance_e8 = tolerance_e8

    def check(
        self,
        liquidations: Iterable[Output],
        parts: Mapping[int, Partition],
        log: Log,
        known: Mapping[str, list[Step]],
    ) -> None:
        """Every REDUCE and TAKE_OVER, in the order of the topic; `known` are histories found."""
        orders = [one for one in liquidations if one.record["action"] in ORDERS]
        accounts: dict[int, set[str]] = defaultdict(set)
        for one in orders:
            account = one.record["account_id"]
            accounts[partition_of(account, len(parts))].add(account)
        histories: dict[str, list[Step]] = {}
        for number, names in accounts.items():
            histories |= parts[number].histories(log, names - known.keys())
        histories |= known
        reduced: set[tuple[str, str, int]] = set()
        for one in orders:
            self._one(one, histories[one.record["account_id"]], reduced, len(parts))

    def _one(
        self,
        order: Output,
        history: Sequence[Step],
        reduced: set[tuple[str, str, int]],
        partitions: int,
    ) -> None:
        record = order.record
        told = Margin(record["equity_e8"], record["maintenance_margin_e8"])
        episode = (record["account_id"], record["bucket"], record["episode"])
        if episode not in reduced:
            bankrupt = record["action"] == "TAKE_OVER"
            if told.equity_e8 >= (0 if bankrupt else record["maintenance_margin_e8"]):
                self._say(order, f"opens the episode with equity {told.equity_e8} e8 and "
                          f"maintenance margin {told.maintenance_margin_e8} e8")  # fmt: skip
            if not bankrupt:
                reduced.add(episode)
        if not self._marks_hold(order):
            return
        if APPLIED in order.headers:
            self._findings.recomputed += 1
            number = partition_of(record["account_id"], partitions)
            self._recompute(order, history, number, told)

    def _marks_hold(self, order: Output) -> bool:
        """Whether each mark is LIVE, and a price that was: young enough, near its index, narrow."""
        record, holds = order.record, True
        until_us = record["event_time"]
        for mark in record["marks"]:
            name, mark_e8 = mark["instrument_id"], mark["mark_e8"]
            ticks = self._rules.ticks(name, until_us - self._stale_us, until_us)
            if mark["guard"] != "LIVE":
                self._say(order, f"rests on a mark of {name} that is {mark['guard']}")
            elif not any(tick.mark_e8 == mark_e8 and self._sound(tick) for tick in ticks):
                self._say(order, f"rests on {name} at {mark_e8} e8, which was no price of then")
            elif self._rules.halted(name, until_us - LATE_US, until_us):
                self._say(order, f"rests on {name}, which did not trade then")
            else:
                continue
            holds = False
        return holds

    def _sound(self, tick: Tick) -> bool:
        gap_ppm = abs(tick.mark_e8 - tick.index_e8) * 1_000_000
        near = tick.index_e8 <= 0 or gap_ppm <= tick.index_e8 * self._deviation_ppm
        narrow = tick.spread_e8 * 1_000_000 <= tick.mark_e8 * self._wide_ppm
        return near and (narrow or not self._wide_ppm)

    def _recompute(self, order: Output, history: Sequence[Step], number: int, told: Margin) -> None:
        """Margin from the inputs that were applied, at the marks told and the prices of then."""
        record = order.record
        applied = offsets_applied(order.headers)
        found: list[str] = []
        isolated = record["bucket"] != CROSS
        portfolio = not isolated and record["account_id"] in self._rules.portfolios
        for late_us in (0, LATE_US):
            state = self._state(record, history, (applied, number), late_us)
            holdings = _bucket(state, record["bucket"])
            for marks_e8 in self._marks(record, holdings):
                try:
                    ours = margin(
                        holdings, marks_e8, self._rules, record["event_time"], portfolio=portfolio
                    )
                except NotPricedError as error:
                    found.append(str(error))
                    continue
                pairs = [(a, b) for a, b in zip(ours, told, strict=True) if a is not None]
                if all(abs(a - (b or 0)) <= self._tolerance_e8 for a, b in pairs):
                    return
                found.append(f"equity {ours[0]} e8 and maintenance margin {ours[1]} e8 by the "
                             f"inputs, {told[0]} e8 and {told[1]} e8 in the record")  # fmt: skip
        self._say(order, f"has {found[0]}")

    def _state(
        self,
        record: Mapping[str, Any],
        history: Sequence[Step],
        applied: tuple[Mapping[str, int], int],
        late_us: int,
    ) -> AccountState:
        """The account as of the offsets applied; payments due by then are paid at the latest."""
        ends, number = applied
        book = Book(self._rules, number)
        for step in history:
            if step.topic == "funding":
                due = step.record["event_time"] <= record["event_time"] - late_us
                end = ends.get("fills", 0)
                taken = step.before < end or (due and step.before == end)
            else:
                taken = step.offset < ends.get(step.topic, 0)
            if taken:
                book.book(step.topic, step.record)
        return book.accounts().get(record["account_id"], AccountState())

    def _marks(
        self,
        record: Mapping[str, Any],
        holdings: tuple[Mapping[str, int], Mapping[str, tuple[int, int]]],
    ) -> Iterator[dict[str, int]]:
        """The marks told, with each choice of the last prices of what prices the assets."""
        told = {mark["instrument_id"]: mark["mark_e8"] for mark in record["marks"]}
        balances, positions = holdings
        settled = {self._rules.contracts[name].settlement for name in positions}
        assets = [
            self._rules.asset_at(asset, record["event_time"]) for asset in balances.keys() | settled
        ]
        pricers = {asset["price_instrument_id"] for asset in assets if asset} - {None, *told}
        until_us = record["event_time"]
        names = sorted(pricers)
        choices = [
            [tick.mark_e8 for tick in self._rules.ticks(name, until_us - self._stale_us, until_us)][
                : -LAST_TICKS - 1 : -1
            ]
            for name in names
        ]
        for prices in product(*choices):
            yield told | dict(zip(names, prices, strict=True))

    def _say(self, order: Output, what: str) -> None:
        record = order.record
        self._findings.unjustified.append(f"{record['liquidation_id']} ({record['action']}) {what}")


def _bucket(
    state: AccountState, bucket: str
) -> tuple[Mapping[str, int], Mapping[str, tuple[int, int]]]:
    return (
        {asset: e8 for (pool, asset), e8 in state.balances.items() if pool == bucket},
        {
            name: held
            for (pool, name), held in state.positions.items()
            if pool == bucket and held[0]
        },
    )
