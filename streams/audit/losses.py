"""Socialised losses: what a fund lacks and no more, from those who gained, none below zero."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas.units import text
from streams.audit.account import AccountState
from streams.audit.findings import Findings
from streams.audit.history import Partition, Step
from streams.audit.limits import Limits
from streams.audit.margin import NotPricedError, margin, profit_e8
from streams.audit.moments import bucket_of, last_marks, state_before
from streams.audit.outputs import APPLIED, Output, offsets_applied
from streams.audit.partitioner import partition_of
from streams.audit.reading import Log
from streams.audit.rulebook import Record, Rulebook
from streams.audit.winners import Winners

SOCIALISED = "@socialised:"


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
            if one.legs[0]["account_id"].startswith(SOCIALISED):
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
        """Each winner gives at most its gain, and is worth no less than nothing afterwards."""
        for leg in shared.legs[1:]:
            if leg["account_id"].startswith("@"):
                continue
            state = self._state(shared, leg, histories)
            gain_e8, equity_e8 = self._at_best(state, leg)
            if leg["amount_e8"] > 0 or -leg["amount_e8"] > gain_e8:
                self._say(shared, f"takes {text(-leg['amount_e8'])} from {leg['account_id']}, "
                          f"whose gain is {text(gain_e8)}")  # fmt: skip
            if equity_e8 < 0:
                self._say(shared, f"leaves {leg['account_id']} with {text(equity_e8)}")

    def _at_best(self, state: AccountState, leg: Record) -> tuple[int, int]:
        """Gain in the asset, and equity after the leg, at the best of the last prices."""
        balances, positions = bucket_of(state, leg["bucket"])
        asset, time_us = leg["asset"], leg["event_time"]
        marks_e8: dict[str, int] = {}
        gain_e8 = 0
        for name, held in positions.items():
            by_mark = {
                mark: profit_e8({name: held}, {name: mark}, self._rules)
                for mark in self._marks(name, time_us)
            }
            if by_mark:
                marks_e8[name] = max(by_mark, key=by_mark.__getitem__)
                settles = self._rules.contracts[name].settlement == asset
                gain_e8 += by_mark[marks_e8[name]] if settles else 0
        for record in (self._rules.asset_at(one, time_us) for one in {asset, *balances}):
            pricer = record["price_instrument_id"] if record else None
            if pricer and pricer not in marks_e8:
                marks_e8[pricer] = max(self._marks(pricer, time_us), default=0)
        after = {**balances, asset: balances.get(asset, 0) + leg["amount_e8"]}
        try:
            equity = margin((after, positions), marks_e8, self._rules, time_us, portfolio=True)
        except NotPricedError:
            return gain_e8, 0
        return gain_e8, equity.equity_e8

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
