"""The book with what is needed to post to it: rules, recent ids, what came in from outside."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Self

import numpy as np
from aiokafka.partitioner import murmur2
from numpy.typing import NDArray

from risk.profile import Profile
from schemas.block import Int64s
from schemas.dead_letter import Refusal
from schemas.spans import Spans
from streams.state.account_book import CROSS, AccountBook
from streams.state.admission import Admission
from streams.state.funds import Fund
from streams.state.name_table import NameList, texts_of
from streams.state.profiles import load_profile
from streams.state.recent_ids import RecentIds
from streams.state.rules import Rules

INSURANCE = "@insurance:"
WRONG_PARTITIONER = 20
"""So many strangers in a block, and more than half of its accounts, are no accident."""


class WrongPartitionerError(RuntimeError):
    """A producer sends accounts to other partitions than ours: nothing it sends can be right."""


@dataclass(frozen=True, slots=True)
class FundMovement:
    """A change of an insurance fund's balance, and the balance after it."""

    account_id: str
    asset: str
    change_e8: int
    balance_e8: int
    reason: str
    source_id: str
    event_time: int


@dataclass(frozen=True, slots=True)
class Returned:
    """A leg that its account did not take: the slice `@returns:` of the asset holds it now."""

    transfer_id: str
    asset: str
    instrument: str
    quantity_e8: int
    cost_e8: int


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a block: rows applied, rows refused, buckets touched (rows of the book)."""

    applied: int
    refused: list[Refusal]
    touched: Int64s
    fund_movements: list[FundMovement] = field(default_factory=list)
    returned: list[Returned] = field(default_factory=list)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Of a block that was applied in parts."""
        return cls(
            sum(part.applied for part in parts),
            [one for part in parts for one in part.refused],
            np.unique(np.concatenate([part.touched for part in parts])),
            [one for part in parts for one in part.fund_movements],
            [one for part in parts for one in part.returned],
        )


class Ledger:
    """Where blocks are posted. One a worker; accounts know their partition."""

    def __init__(
        self,
        rules: Rules,
        partitions: int,
        profile: Profile | None = None,
        penalty_ppm: int = 5_000,
    ) -> None:
        self.book = AccountBook()
        self.rules = rules
        self.partitions = partitions
        self.profile = profile or load_profile("default")
        self.penalty_ppm = penalty_ppm
        """Of the value of a fill that answers a liquidation order: what it pays at most."""
        self.external_e8: dict[tuple[int, str], int] = defaultdict(int)
        """(partition, asset) -> deposits less withdrawals applied."""
        self.watched: set[str] = set()
        self.settled: dict[tuple[int, int], tuple[int, int]] = {}
        """(partition, instrument) that was settled there -> at which time us and price e8."""
        self.funds: dict[str, Fund] = {}
        """By account: insurance funds of the partitions held that have something under way."""
        self.awaited: dict[tuple[int, str], set[str]] = defaultdict(set)
        """(partition, system account) -> legs of its own that were written and not read back."""
        self.affords: Callable[[int, tuple[int, int, int]], bool] = lambda *_: True
        """Whether a bucket can take a position more: its instrument, quantity and cost."""
        self._order: dict[int, list[dict[str, Any]]] = defaultdict(list)
        self._cleared_us: dict[str, int] = {}
        self._recent: dict[tuple[str, int], RecentIds] = defaultdict(RecentIds)

    def settled_us(self, partition: int) -> Int64s:
        """int64[I]: from when on nothing may be traded there, by listing or by settlement."""
        times = self.rules.settled_us.copy()
        for (place, instrument), (time_us, _) in self.settled.items():
            if place == partition:
                times[instrument] = min(times[instrument], time_us)
        return times

    def tell_order(self, partition: int, told: dict[str, Any]) -> None:
        """Note, in JSON, among which inputs something fell: topics have no order between them."""
        self._order[partition].append(told)

    def take_order(self, partition: int) -> list[dict[str, Any]]:
        """What was noted since the last call."""
        return self._order.pop(partition, [])

    def fill_ids(self, partition: int) -> RecentIds:
        return self.recent_ids("fills", partition)

    def recent_ids(self, topic: str, partition: int) -> RecentIds:
        return self._recent[topic, partition]

    def strangers(self, names: NameList, partition: int) -> dict[str, int]:
        """New accounts that came on another partition than Java's murmur2 says, and on which they
        belong; WrongPartitionerError where they are many.

        Their records would be spread over workers and each of them see half an account. Accounts
        in the book were checked when they came in.
        """
        strangers = {
            name: home
            for name in self.book.accounts.unknown(names)
            if (home := partition_of(name, self.partitions)) != partition
        }
        if strangers and len(strangers) > max(WRONG_PARTITIONER, len(set(texts_of(names))) // 2):
            name, home = next(iter(strangers.items()))
            raise WrongPartitionerError(
                f"{len(strangers)} of {len(set(texts_of(names)))} accounts on partition "
                f"{partition} of {self.partitions} do not belong there ({name!r} belongs on "
                f"{home}): the producer must partition keys by murmur2, as Java's clients do "
                "(librdkafka: partitioner=murmur2_random), and know the topic's true number of "
                "partitions"
            )
        return strangers

    def require_partition(self, admission: Admission, partition: int) -> None:
        """The account must belong on the partition it came on."""
        admission.require_home(self.strangers(admission.columns.data["account_id"], partition))

    def quarantine(self, account_id: str, partition: int, event_time_us: int) -> None:
        """An event of the account is a dead letter: it is watched until someone clears it."""
        cleared = self._cleared_us.get(account_id, -1) >= event_time_us
        if not cleared and partition_of(account_id, self.partitions) == partition:
            row = self.book.account_rows([account_id], partition)
            self.book.accounts["quarantined"][row] = True
            self.book.accounts["quarantined_at_us"][row] = event_time_us

    def take_account(self, record: Mapping[str, Any]) -> None:
        """An account's settings: WATCHED is never liquidated; ACTIVE lifts an older quarantine.

        Its mode says how its cross pool is margined: as a PORTFOLIO, or position by position.
        """
        name = record["account_id"]
        self.book.set_portfolio(name, record["mode"] == "PORTFOLIO")
        if record["status"] == "WATCHED":
            self.watched.add(name)
            return
        self._cleared_us[name] = record["event_time"]
        self.watched.discard(name)
        row = self.book.accounts.find(name)
        if row is not None:
            self._lift(row, record["event_time"])

    def clear_quarantines(self, partition: int) -> None:
        """Lift the quarantines of a partition that were cleared while nobody held it."""
        accounts = self.book.accounts
        mine = accounts.live & accounts["quarantined"] & (accounts["partition"] == partition)
        for row in np.flatnonzero(mine).tolist():
            self._lift(row, self._cleared_us.get(accounts.name(row), -1))

    def _lift(self, row: int, cleared_us: int) -> None:
        accounts = self.book.accounts
        if cleared_us >= accounts["quarantined_at_us"][row] and accounts["quarantined"][row]:
            accounts["quarantined"][row] = False
            self.book.touched.add(np.array([row]))

    def exempt(self, accounts: Int64s) -> NDArray[np.bool_]:
        """bool[n]: accounts (rows) that are watched and called but not liquidated."""
        exempt: NDArray[np.bool_] = self.book.accounts["quarantined"][accounts].astype(np.bool_)
        if self.watched:
            watched = [self.book.accounts.find(name) for name in self.watched]
            exempt |= np.isin(accounts, [row for row in watched if row is not None])
        return exempt

    def drop_partition(self, partition: int) -> None:
        self.book.drop_partition(partition)
        self.settled = {at: how for at, how in self.settled.items() if at[0] != partition}
        self._order.pop(partition, None)
        for name in [name for name in self.funds if self.home(name) == partition]:
            del self.funds[name]
        for place in [place for place in self.awaited if place[0] == partition]:
            del self.awaited[place]
        for place in [key for key in self.external_e8 if key[0] == partition]:
            del self.external_e8[place]
        for topic in [key for key in self._recent if key[1] == partition]:
            del self._recent[topic]

    def whose(self, buckets: Int64s) -> list[tuple[str, str]]:
        """Of each bucket its account, and its pool: cross, or the instrument that it isolates."""
        columns, names = self.book.buckets, self.rules.instruments
        pools = columns["instrument"][buckets].tolist()
        accounts = self.book.accounts.names(columns["account"][buckets])
        return [
            (account, "cross" if pool == CROSS else names[pool])
            for account, pool in zip(accounts, pools, strict=True)
        ]

    def pools(self, buckets: Int64s) -> Spans:
        """Of each bucket its pool, as `whose` names it."""
        pools = self.book.buckets["instrument"][buckets].astype(np.int64)
        return self.rules.pool_names[pools - CROSS]

    def home(self, account_id: str) -> int:
        return partition_of(account_id, self.partitions)

    def arrives(self, account_id: str, transfer_id: str, more: int) -> None:
        """A leg of a transfer to a fund was read, and so many more of it follow."""
        fund = self.funds.setdefault(account_id, Fund())
        fund.vain = 0  # it has something new, or something back
        arriving = fund.arriving
        if more and transfer_id not in arriving:
            arriving.append(transfer_id)
        elif not more and transfer_id in arriving:
            arriving.remove(transfer_id)

    def waterfall_state(self, partition: int) -> dict[str, Any]:
        """What funds and slices of a partition have under way, in JSON."""
        funds = {name: one for name, one in self.funds.items() if self.home(name) == partition}
        return {
            "funds": {name: one.state() for name, one in funds.items()},
            "awaited": {
                name: sorted(legs)
                for (place, name), legs in self.awaited.items()
                if place == partition and legs
            },
        }

    def restore_waterfall(self, partition: int, state: Mapping[str, Any]) -> None:
        for name, one in state["funds"].items():
            self.funds[name] = Fund.of(one)
        for name, legs in state["awaited"].items():
            self.awaited[partition, name] = set(legs)

    def read_back(self, partition: int, account_id: str, leg_id: str) -> None:
        """A leg of a system account was read, applied or not: it is awaited no longer."""
        if awaited := self.awaited.get((partition, account_id)):
            awaited.discard(leg_id)

    def funds_here(self) -> list[tuple[int, str, int]]:
        """Number of its asset, name and row of each insurance fund in the book, in that order."""
        numbers = self.rules.asset_number
        held = self.book.system_of.get(INSURANCE.removesuffix(":"), {})
        named = ((name.removeprefix(INSURANCE), name, row) for name, row in held.items())
        return sorted((numbers[asset], name, row) for asset, name, row in named if asset in numbers)

    def fund_balance_e8(self, account_id: str, asset: int) -> int:
        """The balance of a system account's cross pool in one asset."""
        book = self.book
        account = book.system.get(account_id)
        if account is None:
            return 0
        row = book.balance_rows(np.array([book.cross_bucket(account)]), np.array([asset]))[0]
        return int(book.balances["amount_e8"][row])


@lru_cache(4_096)
def partition_of(key: str, partitions: int) -> int:
    """The partition of an account: that of its key, as Kafka's Java client computes it (murmur2).

    A slice of a system account, `@name#3`, lives on the partition that it names.
    """
    if key[:1] == "@" and (place := key.rpartition("#")[2]).isdecimal() and int(place) < partitions:
        return int(place)
    return int((murmur2(key.encode()) & 0x7FFFFFFF) % partitions)
