"""Whether each liquidation follows from marks that were and from what the bucket then held."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from streams.audit.account import CROSS
from streams.audit.findings import Findings
from streams.audit.history import Partition, Step
from streams.audit.limits import Limits
from streams.audit.margin import Margin, NotPricedError, margin, profit_e8
from streams.audit.moments import bucket_of, last_marks, state_before
from streams.audit.outputs import APPLIED, OF_FUNDS, Output, offsets_applied
from streams.audit.partition import LATE_US
from streams.audit.partitioner import partition_of
from streams.audit.reading import Log
from streams.audit.rulebook import Rulebook, Tick

ORDERS = frozenset({"REDUCE", "TAKE_OVER"})


class Decisions:
    """Checks the orders among the liquidations; marks age by event time."""

    def __init__(
        self,
        rules: Rulebook,
        findings: Findings,
        *,
        limits: Limits,
        tolerance_e8: int,
        exact: bool = True,
    ) -> None:
        """Not `exact`: what an account held at a decision is not known to the fill."""
        self._exact = exact
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
        """Every order, and what funds shed, in the order of the topic; `known`: histories found."""
        orders = [one for one in liquidations if one.record["action"] in ORDERS | OF_FUNDS]
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
        if record["action"] in OF_FUNDS:
            self._fund(order, history, partitions)
            return
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
        if APPLIED in order.headers and self._exact:
            self._findings.recomputed += 1
            number = partition_of(record["account_id"], partitions)
            self._recompute(order, history, number, told)

    def _fund(self, order: Output, history: Sequence[Step], partitions: int) -> None:
        """What a fund was worth, in its own asset, at marks that may liquidate."""
        record = order.record
        if not (self._marks_hold(order) and APPLIED in order.headers and self._exact):
            return
        self._findings.recomputed += 1
        asset = record["account_id"].rpartition(":")[2]
        place = (record["account_id"], partition_of(record["account_id"], partitions))
        marks_e8 = {mark["instrument_id"]: mark["mark_e8"] for mark in record["marks"]}
        found = set()
        for late_us in (0, LATE_US):
            due_us, ends = record["event_time"] - late_us, offsets_applied(order.headers)
            state = state_before(history, self._rules, place, ends, due_us)
            balances, positions = bucket_of(state, record["bucket"])
            if positions.keys() - marks_e8.keys():
                self._say(order, "tells no mark of " + min(positions.keys() - marks_e8.keys()))
                return
            found.add(balances.get(asset, 0) + profit_e8(positions, marks_e8, self._rules))
        if record["equity_e8"] not in found:
            self._say(order, f"has equity {min(found)} e8 by the inputs, "
                      f"{record['equity_e8']} e8 in the record")  # fmt: skip

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
            place, due_us = (record["account_id"], number), record["event_time"] - late_us
            state = state_before(history, self._rules, place, applied, due_us)
            holdings = bucket_of(state, record["bucket"])
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
        names = sorted(pricers)
        choices = [
            last_marks(self._rules, name, record["event_time"], self._stale_us) for name in names
        ]
        for prices in product(*choices):
            yield told | dict(zip(names, prices, strict=True))

    def _say(self, order: Output, what: str) -> None:
        record = order.record
        self._findings.unjustified.append(f"{record['liquidation_id']} ({record['action']}) {what}")
