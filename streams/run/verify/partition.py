"""The decisions of one partition computed anew, one after the other."""

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sinks.reading import Row
from sinks.verifier import Finding as Changed
from streams.base.settings import Settings
from streams.run.parts import ladder
from streams.run.verify.decisions import STATES, Decision, Said
from streams.run.verify.differences import Finding, of_holdings, of_state
from streams.run.verify.folding import FAR, STREAMS, Account, Applied, Node
from streams.run.verify.holdings import Holdings, Input
from streams.run.verify.inputs import Common
from streams.run.verify.judging import judge, levels_fit
from streams.run.verify.mirror import Held, Mirror, Record
from streams.run.verify.opening import Openings
from streams.run.verify.resting import Resting
from streams.run.verify.ticks import Cuts, Taken

OTHER_TICKS = 60
"""So many earlier ticks are tried where a record tells no mark of what it rests on."""
OTHER_ENDS = 4
"""So many beginnings of its orders with each of them."""
MOST_SOUGHT = 200
"""So many possibilities are evaluated for a record that does not tell what its account held."""


@dataclass(slots=True)
class Report:
    """What was looked at, and what differs."""

    records: Counter[str] = field(default_factory=Counter)
    """By topic, those computed anew."""
    decisions: int = 0
    first_us: int = 0
    last_us: int = 0
    findings: list[Finding] = field(default_factory=list)
    """Records that differ from what was computed."""
    changed: list[Changed] = field(default_factory=list)
    """Blocks of rows that are not what the sink stored."""

    @property
    def clean(self) -> bool:
        return not (self.findings or self.changed)


class Partition:
    """The decisions of one partition, in the order of time."""

    def __init__(
        self,
        accounts: dict[str, Account],
        common: Common,
        *,
        orders: Resting,
        openings: Openings,
        mirror: Mirror,
        settings: Settings,
        report: Report,
    ) -> None:
        self._accounts = accounts
        self._common = common
        self._orders = orders
        self._openings = openings
        self._mirror = mirror
        self._ticks = mirror.ticks
        self._ladder = ladder(settings)
        self._report = report
        self._applied = Applied({}, {})
        self._low: Cuts = {}

    def follow(self, decision: Decision) -> None:
        """Go along with decisions before the period: what accounts hold, and no more."""
        taken = self._take(decision.time_us, decision.said)
        self._book(decision)
        self._low = taken.least

    def check(self, decision: Decision) -> None:
        """Compute anew what a decision said."""
        report, (time_us, _, said) = self._report, decision
        report.decisions += 1
        report.first_us = min(report.first_us or time_us, time_us)
        report.last_us = max(report.last_us, time_us)
        taken = self._take(time_us, said)
        held, differences = self._book(decision)
        computed, cuts = self._computed(held, said, taken, time_us)
        for one in said:
            if one.state is not None:
                report.records[STATES] += 1
                found = [*differences.get(one.account, ())]
                found += of_state(one.state.record, computed[one.account])
                self._say(STATES, one.state, found, cuts)
            for topic, row in one.others if one.account in computed else ():
                report.records[topic] += 1
                found = [*judge(self._mirror, row.record, computed[one.account], self._ladder)]
                self._say(topic, row, found, cuts)
        self._low = taken.least

    def _take(self, time_us: int, said: Sequence[Said]) -> Taken:
        told: dict[str, Counter[int]] = defaultdict(Counter)
        for one in said:
            lists = [row.record["marks"] for _, row in one.others]
            lists += [one.state.record["positions"]] if one.state else []
            for marks in lists:
                for mark in marks:
                    told[mark["instrument_id"]][mark["mark_e8"]] += 1
        taken = self._ticks.taken(told, self._low, time_us)
        self._mirror.advance(time_us)
        self._mirror.marks(taken.most, time_us)
        return taken

    def _book(self, decision: Decision) -> tuple[dict[str, Holdings], dict[str, list[str]]]:
        """What accounts with a margin state held, and where that is not what is stored."""
        time_us, ends, said = decision
        self._applied = Applied(self._applied.least, {}) if ends is None else Applied.exactly(ends)
        held: dict[str, Holdings] = {}
        differences: dict[str, list[str]] = {}
        states = [(self._account(one.account), one.state) for one in said if one.state]
        states.sort(key=lambda one: one[0].pending(time_us))
        for account, state in states:
            stored = holdings_of(state.record)
            held[account.name] = stored
            if not self._openings.known(account.name):
                self._openings.take_up(account, stored, time_us, ends)
                continue
            node = self._node(account, stored, time_us)
            if node is not None:
                account.node, account.doubt = node, None
                if self._openings.certain(account.name, time_us):
                    self._narrow(account, node)
                continue
            booked = self._likeliest(account, time_us)
            differences[account.name] = [
                *of_holdings("balance", stored.balances, booked.balances),
                *of_holdings("position", stored.positions, booked.positions),
            ]
            account.mistrust(stored, self._applied, time_us)
        return held, differences

    def _node(self, account: Account, stored: Holdings, time_us: int) -> Node | None:
        return self._openings.find(
            account, lambda held: self._marked(held) == stored, stored, self._applied, time_us
        )

    def _marked(self, held: Holdings) -> Holdings:
        """Without positions that have no mark yet: a margin state does not list them."""
        board, number = self._mirror.board, self._mirror.rules.number
        underlying = self._mirror.rules.terms.underlying
        marked = {
            place: amounts
            for place, amounts in held.positions.items()
            if (at := number.get(place[1])) is not None
            and board.mark_e8[at] and board.mark_e8[underlying[at]]
        }  # fmt: skip
        return Holdings(held.balances, marked)

    def _likeliest(self, account: Account, time_us: int) -> Holdings:
        """What was booked by the order of time, where nothing that can have been fits."""
        node = account.likeliest(self._applied, time_us)
        return self._marked(account.holdings_of(node))

    def _narrow(self, account: Account, node: Node) -> None:
        """One decision has applied each topic up to one offset, for all accounts."""
        if self._applied.told:
            return
        (of_all, below, _), (least, most) = self._applied, account.span(node)
        for topic in STREAMS[:-1]:
            low = max(of_all.get(topic, 0), least.get(topic, 0))
            high = min(below.get(topic, FAR), most.get(topic, FAR))
            if low <= high:
                of_all[topic], below[topic] = low, high

    def _account(self, name: str) -> Account:
        if name not in self._accounts:
            nothing: list[list[Input]] = [[] for _ in STREAMS[:-1]]
            self._accounts[name] = Account(
                name, [*nothing, self._common.payments], self._common.rulebook
            )
        return self._accounts[name]

    def _computed(
        self, held: Mapping[str, Holdings], said: Sequence[Said], taken: Taken, time_us: int
    ) -> tuple[dict[str, dict[str, Any]], Cuts]:
        """The margin state of every account that something was said of, and the ticks it rests on.

        Left out is one that has not been taken up yet: what it held is not known.

        Where a record rests on something whose mark none tells, earlier ticks of it are tried.
        """
        mirror = self._mirror
        stored = {one.account: one.state.record for one in said if one.state}

        def unlike(ends: Mapping[str, int]) -> set[str]:
            """Of accounts with their orders before these offsets, those that come out otherwise."""
            mirror.put([self._held(one, held[one], end, stored[one]) for one, end in ends.items()])
            computed.update(mirror.states(list(ends)))
            return {one for one in ends if any(of_state(stored[one], computed[one]))}

        computed: dict[str, dict[str, Any]] = {}
        if self._applied.told:
            end = self._orders.told(self._applied.least.get("orders", 0))
        else:
            end = self._orders.applied(stored, time_us, lambda ends: ends.keys() - unlike(ends))
        wrong = sorted(unlike(dict.fromkeys(stored, end))) if stored else []
        for cuts in taken.others(OTHER_TICKS) if wrong else ():
            mirror.marks(cuts, time_us)
            again = mirror.states(wrong)
            computed |= {
                name: record
                for name, record in again.items()
                if not any(of_state(stored[name], record))
            }
            wrong = [name for name in wrong if any(of_state(stored[name], computed[name]))]
            if not wrong:
                break
        mirror.marks(taken.most, time_us)
        for one in said:
            if one.state is None and self._openings.known(one.account):
                computed[one.account] = self._sought(one, end, time_us)
        return computed, taken.most

    def _held(self, name: str, holdings: Holdings, end: int, state: Record | None = None) -> Held:
        """An account with what it has open by the orders before an offset."""
        settled = self._account(name).node.book.settled
        buckets = state["buckets"] if state else ()
        return Held(name, holdings, buckets, self._orders.open(name, end, settled))

    def _sought(self, one: Said, end: int, time_us: int) -> dict[str, Any]:
        """The margin state of an account of which only calls or orders were told.

        What it held is what gives the levels that they tell, if anything does.
        """
        account, mirror = self._account(one.account), self._mirror
        nodes, ends = account.nodes(self._applied, time_us), [end]
        if not self._applied.told:
            ends = self._orders.ends(account.name, end, time_us)[:OTHER_ENDS]
        every = ((node, at) for node in nodes for at in ends)
        for node, at in itertools.islice(every, MOST_SOUGHT):
            mirror.put([self._held(account.name, account.holdings_of(node), at)])
            state = mirror.states([account.name])[account.name]
            if all(levels_fit(mirror, row.record, state) for _, row in one.others):
                account.node, account.doubt = node, None
                self._narrow(account, node)
                return state
        mirror.put([self._held(account.name, self._likeliest(account, time_us), end)])
        return mirror.states([account.name])[account.name]

    def _say(self, topic: str, row: Row, found: Iterable[str], cuts: Cuts) -> None:
        differences = tuple(dict.fromkeys(found))
        if not differences:
            return
        record = row.record
        marks = record["positions"] if topic == STATES else record["marks"]
        ticks = []
        for mark in marks:
            tick = self._ticks.mark(mark["instrument_id"], cuts)
            if tick is not None and tick[0] != mark["mark_e8"]:
                ticks.append((mark["instrument_id"], *tick[1:]))
        self._report.findings.append(
            Finding(
                topic,
                row.partition,
                row.offset,
                record["account_id"],
                record["event_time"],
                differences,
                tuple(dict.fromkeys(ticks)),
            )
        )


def holdings_of(record: Mapping[str, Any]) -> Holdings:
    """What a margin state says that its account holds."""
    return Holdings(
        {(one["bucket"], one["asset"]): one["amount_e8"] for one in record["balances"]},
        {
            (one["bucket"], one["instrument_id"]): (one["quantity_e8"], one["cost_e8"])
            for one in record["positions"]
        },
    )
