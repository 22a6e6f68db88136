"""Socialised losses: what a fund lacks and no more, from those who gained, none below zero."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas.units import text
from streams.audit.account import AccountState
from streams.audit.findings import Findings
from streams.audit.history import Partition, Step
from streams.audit.limits import Limits
from streams.audit.margin import NotPricedError, margin, profit_e8
from streams.audit.moments import Holdings, bucket_of, last_marks, state_before
from streams.audit.outputs import APPLIED, Output, offsets_applied
from streams.audit.partitioner import partition_of
from streams.audit.reading import Log
from streams.audit.rulebook import Record, Rulebook
from streams.audit.winners import Winners
from streams.audit.written import SOCIALISED


class _Shared(NamedTuple):
    """A transfer of the kind, with what was applied in its partition when it was decided."""

    identity: str
    legs: Sequence[Record]
    ends: Mapping[str, int]


class Losses:
    """Checks the transfers of kind SOCIALISED_LOSS: of funds to slices, of slices to winners."""

    def __init__(
        self,
        parts: Mapping[int, Partition],
        log: Log,
        rules: Rulebook,
        findings: Findings,
        *,
        limits: Limits,
        winners: Winners,
    ) -> None:
        self._parts = parts
        self._log = log
        self._rules = rules
        self._findings = findings
        self._limits = limits
        self._winners = winners

    def check(self, legs: Iterable[Output]) -> None:
        """All legs on `transfers`; those of other kinds are left aside."""
        shared = _joined(one for one in legs if one.record["kind"] == "SOCIALISED_LOSS")
        histories = self._histories(shared)
        for one in shared:
            if one.identity.startswith(SOCIALISED):
                self._of_slice(one, histories)
            else:
                self._of_fund(one, histories)

    def _histories(self, shared: Sequence[_Shared]) -> dict[str, list[Step]]:
        names: dict[int, set[str]] = {}
        for one in shared:
            for leg in one.legs:
                account = leg["account_id"]
                if not account.startswith(SOCIALISED):
                    names.setdefault(partition_of(account, len(self._parts)), set()).add(account)
        found: dict[str, list[Step]] = {}
        for number, accounts in names.items():
            found |= self._parts[number].histories(self._log, accounts)
        return found

    def _of_fund(self, shared: _Shared, histories: Mapping[str, list[Step]]) -> None:
        """A fund gets what it lacks, from each partition at most what its winners gained."""
        fund = shared.legs[0]
        asked = self._winners.asked.get(shared.identity)
        if asked is None or asked["instrument_id"] is not None:
            self._say(shared, "was never asked for")
            return
        answers = self._winners.answers.get(shared.identity, {})
        for leg in shared.legs[1:]:
            number = partition_of(leg["account_id"], len(self._parts))
            gain_e8 = answers[number]["gain_e8"] if number in answers else 0
            if -leg["amount_e8"] > gain_e8:
                self._say(shared, f"takes {text(-leg['amount_e8'])} of partition {number}, whose "
                          f"winners gained {text(gain_e8)}")  # fmt: skip
        state = self._state(shared, fund, histories)
        if self._limits.window_cap_e8:
            return
        balances, positions = bucket_of(state, fund["bucket"])
        worth_e8 = balances.get(fund["asset"], 0)
        marks = {name: self._marks(name, fund["event_time"]) for name in positions}
        if all(marks.values()):
            for name, held in positions.items():
                worth_e8 += min(
                    profit_e8({name: held}, {name: mark_e8}, self._rules) for mark_e8 in marks[name]
                )
            if fund["amount_e8"] > max(-worth_e8, 0):
                self._say(shared, f"gives {text(fund['amount_e8'])} to {fund['account_id']}, which "
                          f"is worth {text(worth_e8)}")  # fmt: skip

    def _of_slice(self, shared: _Shared, histories: Mapping[str, list[Step]]) -> None:
        """Each winner gives of its gains, at most all, and is worth no less than nothing then."""
        asset = shared.identity.removeprefix(SOCIALISED).rpartition("#")[0]
        given: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for leg in shared.legs:
            if not leg["account_id"].startswith("@"):
                given[leg["account_id"], leg["bucket"]].append(leg)
        for (account, bucket), legs in given.items():
            state = self._state(shared, legs[0], histories)
            self._of_winner(shared, (account, asset), bucket_of(state, bucket), legs)

    def _of_winner(
        self, shared: _Shared, who: tuple[str, str], holdings: Holdings, legs: Sequence[Record]
    ) -> None:
        """What one bucket gives: of each position at most its profit, of all at most the gain."""
        (account, asset), (balances, positions) = who, holdings
        time_us = legs[0]["event_time"]
        profits_e8, marks_e8 = self._at_best(positions, asset, time_us)
        after = dict(positions)
        for leg in legs:
            name, cost_e8 = leg["instrument_id"], leg["cost_e8"]
            profit = profits_e8.get(name, 0)
            if leg["quantity_e8"] or leg["amount_e8"] or not 0 < cost_e8 <= profit:
                self._say(shared, f"takes {text(cost_e8)} from {account} of {name}, whose profit "
                          f"is {text(profit)}")  # fmt: skip
            if name in after:
                after[name] = after[name][0], after[name][1] + cost_e8
        share_e8, gain_e8 = sum(leg["cost_e8"] for leg in legs), sum(profits_e8.values())
        if share_e8 > gain_e8:
            self._say(shared, f"takes {text(share_e8)} from {account}, whose gain is "
                      f"{text(gain_e8)}")  # fmt: skip
        left_e8 = self._equity_e8((balances, after), marks_e8, asset, time_us)
        if left_e8 < 0:
            self._say(shared, f"leaves {account} with {text(left_e8)}")

    def _at_best(
        self, positions: Mapping[str, tuple[int, int]], asset: str, time_us: int
    ) -> tuple[dict[str, int], dict[str, int]]:
        """Profits of the positions that settle in an asset, and marks of all, at the best of the
        last prices."""
        profits_e8: dict[str, int] = {}
        marks_e8: dict[str, int] = {}
        for name, held in positions.items():
            by_mark = {
                mark: profit_e8({name: held}, {name: mark}, self._rules)
                for mark in self._marks(name, time_us)
            }
            if by_mark:
                marks_e8[name] = max(by_mark, key=by_mark.__getitem__)
                if self._rules.contracts[name].settlement == asset:
                    profits_e8[name] = by_mark[marks_e8[name]]
        return profits_e8, marks_e8

    def _equity_e8(
        self, holdings: Holdings, marks_e8: Mapping[str, int], asset: str, time_us: int
    ) -> int:
        """Of a bucket; 0 where something it rests on had no price lately."""
        priced = dict(marks_e8)
        for record in (self._rules.asset_at(one, time_us) for one in {asset, *holdings[0]}):
            pricer = record["price_instrument_id"] if record else None
            if pricer and pricer not in priced:
                priced[pricer] = max(self._marks(pricer, time_us), default=0)
        try:
            return margin(holdings, priced, self._rules, time_us, portfolio=True).equity_e8
        except NotPricedError:
            return 0

    def _state(
        self, shared: _Shared, leg: Record, histories: Mapping[str, list[Step]]
    ) -> AccountState:
        account = leg["account_id"]
        place = (account, partition_of(account, len(self._parts)))
        return state_before(histories[account], self._rules, place, shared.ends, leg["event_time"])

    def _marks(self, name: str, time_us: int) -> list[int]:
        return last_marks(self._rules, name, time_us, self._limits.stale_ms * 1_000)

    def _say(self, shared: _Shared, what: str) -> None:
        self._findings.unjustified.append(f"transfer {shared.identity} (SOCIALISED_LOSS) {what}")


def _joined(legs: Iterable[Output]) -> list[_Shared]:
    """Transfers whose first leg tells what had been applied."""
    found: dict[str, list[Output]] = {}
    for one in legs:
        found.setdefault(one.record["transfer_id"], []).append(one)
    joined = []
    for identity, of_it in found.items():
        records = sorted((one.record for one in of_it), key=lambda record: record["leg"])
        if APPLIED in of_it[0].headers and records[0]["leg"] == 0:
            joined.append(_Shared(identity, records, offsets_applied(of_it[0].headers)))
    return joined
