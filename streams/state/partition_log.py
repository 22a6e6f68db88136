"""What of a partition goes into the changelog after a turn, and how it comes back from there.

The changelog of a partition holds, under the accounts' ids, their packed state, and beside them,
under keys that begin with NUL, as no account's may:

- `partition`, the last record of every turn: how far the inputs are applied, how many accounts
  there are and the sum of their seals, funding paid, deposits less withdrawals, the turn. Accounts
  that come after the last of these belong to a turn that never ended: they are not read.
- `names`, what the codes in the accounts' records stand for;
- `ids/TOPIC/N`, hashes of the ids applied in a turn, in a ring of `RING` records;
- `order/N`, between which fills a funding payment or the legs of transfers fell, the last
  `ORDERS` of them: that is the engine's decision, and an audit must know it.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from streams.state.account_book import OFFSETS, WITH_IDS
from streams.state.changelog import ChangelogError, pack, unpack
from streams.state.funding import Funding
from streams.state.ledger import Ledger
from streams.state.names import Names, UnknownNameError

VERSION = b"\x01"
PARTITION, NAMES, IDS = b"\x00partition", b"\x00names", b"\x00ids/"
OPENING = (b"\x00opening", VERSION)
"""With it a new owner begins: what a broken turn has left before it is not read."""
RING = 65_536
ORDERS = 16_384
ORDER = b"\x00order/"
MASK = 2**64 - 1
Pair = tuple[bytes, bytes]
ADVICE = (
    "restore the changelog from a copy; or, where the inputs are kept from their beginning, delete "
    "it and start with --rebuild, which reads them again"
)


@dataclass(slots=True)
class Held:
    """What is known of a partition beside its accounts."""

    turn: int = 0
    accounts: int = 0
    seals: int = 0
    names: int = 0
    rings: dict[str, list[int]] = field(default_factory=lambda: {t: [0, 0] for t in WITH_IDS})
    """By topic: the next place in the ring, and the ids in this round of it."""
    last: dict[str, list[int]] = field(default_factory=dict)
    """By topic: offset and CRC-32 of the last record read, which is read once more at a start."""
    orders: int = 0
    """Records of `order` so far."""
    letters: dict[str, int] = field(default_factory=dict)
    """By broadcast "topic-partition": up to where its dead letters are written."""
    ahead: dict[str, int] = field(default_factory=dict)
    """By topic: below it some account may have applied more than the partition as a whole."""


class PartitionLog:
    """The durable side of a ledger: one a worker, for all partitions that it holds."""

    def __init__(self, app: str, ledger: Ledger, funding: Funding) -> None:
        self._app = app
        self._ledger = ledger
        self._funding = funding
        self._names = Names(ledger.rules, ledger.partitions)
        self.held: dict[int, Held] = {}

    def records(self, ends: Mapping[int, Mapping[str, int]]) -> dict[int, list[Pair]]:
        """The records of a turn, by partition, of the partitions in `ends` (topic -> offset).

        `ends` must name every partition in which an account was touched.
        """
        book = self._ledger.book
        accounts = book.touched.rows()
        partitions = book.accounts["partition"][accounts]
        order = np.argsort(partitions, kind="stable")
        accounts, partitions = accounts[order], partitions[order]
        before = book.accounts["seal"][accounts]
        sealed = pack(book, accounts, self._names)
        book.accounts["seal"][accounts] = sealed.seals
        book.touched.clear(accounts)
        pairs = list(zip(sealed.keys, sealed.values, strict=True))
        found: dict[int, list[Pair]] = {}
        for partition, to in ends.items():
            first, last = np.searchsorted(partitions, [partition, partition + 1]).tolist()
            held = self.held[partition]
            held.accounts += int((before[first:last] == 0).sum())
            change = int(sealed.seals[first:last].sum()) - int(before[first:last].sum())
            held.seals = (held.seals + change) & MASK
            found[partition] = pairs[first:last] + self._specials(partition, held, to)
        return found

    def load(
        self, partition: int, image: Mapping[bytes, bytes], catch_up: Callable[[], None]
    ) -> dict[str, int] | None:
        """Rebuild a partition from its changelog; where its inputs go on, None if it is new.

        `catch_up` is called where who wrote it had heard more on the broadcast topics than we have.
        `image` holds the last whole record of each key, the oldest first. Raises ChangelogError,
        and leaves the partition empty, where it is not the whole of what was written.
        """
        self.drop(partition)
        if not image:
            self.held[partition] = Held()
            return None
        try:
            if self._heard_more(image):
                catch_up()
            return self._load(partition, image)
        except ChangelogError as error:
            self.drop(partition)
            raise ChangelogError(f"partition {partition}: {error}; {ADVICE}") from error
        except UnknownNameError as error:
            self.drop(partition)
            raise ChangelogError(
                f"partition {partition}: accounts hold {error}, which no record of `instruments` "
                "or `assets` lists: publish it again"
            ) from error

    def _heard_more(self, image: Mapping[bytes, bytes]) -> bool:
        """Whether who wrote this had heard of instruments, assets or funding that we have not.

        A payment that it has made, and that we hear of later, would be made again.
        """
        rules = self._ledger.rules
        names = _parsed(image[NAMES], "of names") if NAMES in image else {}
        state = _parsed(image[PARTITION], "of the partition") if PARTITION in image else {}
        return (
            not rules.number.keys() >= set(names.get("instruments", ()))
            or not rules.asset_number.keys() >= set(names.get("assets", ()))
            or self._funding.is_behind(state.get("funding", {"read_to": {}}))
        )

    def drop(self, partition: int) -> None:
        """Forget all of a partition: it is another worker's."""
        self.held.pop(partition, None)
        self._ledger.drop_partition(partition)
        self._funding.forget(partition)
        self._names.forget(partition)

    def _load(self, partition: int, image: Mapping[bytes, bytes]) -> dict[str, int]:
        state = _parsed(image.get(PARTITION), "of the partition")
        if state["app"] != self._app:
            raise ChangelogError(
                f"it was written by app {state['app']!r}, and this worker's is {self._app!r}"
            )
        names = _parsed(image.get(NAMES), "of names")
        self._names.instruments.load(partition, names["instruments"])
        self._names.assets.load(partition, names["assets"])
        people = {key: value for key, value in image.items() if key[:1] != b"\x00"}
        ledger = self._ledger
        accounts = unpack(ledger.book, partition, list(people), list(people.values()), self._names)
        seals = int(ledger.book.accounts["seal"][accounts].sum()) & MASK
        if (len(accounts), seals) != (state["accounts"], state["seals"]):
            raise ChangelogError(
                f"it holds {len(accounts)} accounts with seals {seals:016x}, and its last turn "
                f"left {state['accounts']} with {state['seals']:016x}: records are missing"
            )
        for topic, ring in _ids(image):
            ledger.recent_ids(topic, partition).load(ring)
        for asset, amount_e8 in state["external_e8"].items():
            ledger.external_e8[partition, asset] = amount_e8
        self._funding.restore(partition, state["funding"])
        ledger.restore_waterfall(partition, state)
        self.held[partition] = Held(
            state["turn"],
            state["accounts"],
            state["seals"],
            self._names.count(partition),
            state["rings"],
            state["last"],
            state["orders"],
            state["letters"],
            {topic: int(ledger.book.accounts[topic][accounts].max(initial=0)) for topic in OFFSETS},
        )
        ledger.clear_quarantines(partition)
        ends: dict[str, int] = state["ends"]
        return ends

    def _specials(self, partition: int, held: Held, ends: Mapping[str, int]) -> list[Pair]:
        pairs = []
        if self._names.count(partition) > held.names or not held.turn:
            held.names = self._names.count(partition)
            pairs.append((NAMES, VERSION + json.dumps(self._names.of(partition)).encode()))
        for topic, ring in held.rings.items():
            recent = self._ledger.recent_ids(topic, partition)
            hashed = recent.unsaved()
            if len(hashed):
                place, count = ring
                pairs.append((IDS + f"{topic}/{place}".encode(), hashed.astype("<u8").tobytes()))
                ring[1] = count + len(hashed)
                ring[0] = place + 1
                if ring[0] == RING or ring[1] >= recent.window:
                    ring[0], ring[1] = 0, 0
        for told in self._ledger.take_order(partition):
            key = ORDER + str(held.orders % ORDERS).encode()
            pairs.append((key, VERSION + json.dumps(told).encode()))
            held.orders += 1
        held.turn += 1
        return [*pairs, self._partition_record(partition, held, ends)]

    def _partition_record(self, partition: int, held: Held, ends: Mapping[str, int]) -> Pair:
        external = self._ledger.external_e8
        state = {
            "app": self._app,
            "turn": held.turn,
            "ends": dict(ends),
            "accounts": held.accounts,
            "seals": held.seals,
            "rings": held.rings,
            "last": held.last,
            "orders": held.orders,
            "letters": held.letters,
            "external_e8": {a: e8 for (number, a), e8 in external.items() if number == partition},
            "funding": self._funding.state(partition),
            **self._ledger.waterfall_state(partition),
        }
        return PARTITION, VERSION + json.dumps(state).encode()


def orders(image: Mapping[bytes, bytes]) -> list[dict[str, Any]]:
    """What fell behind which offsets: {"payment": [partition, offset] of its record, "ends"}, or
    {"legs": [first, end] of their offsets, "ends"}; "ends" is by account topic."""
    return [_parsed(one, "of order") for key, one in image.items() if key.startswith(ORDER)]


class Image:
    """The last whole record of each key of a partition's changelog, read in its order."""

    def __init__(self) -> None:
        self.records: dict[bytes, bytes] = {}
        self.read = 0
        self._turn: dict[bytes, bytes] = {}

    def take(self, pairs: Iterable[tuple[bytes | None, bytes | None]]) -> None:
        """Take the next records; those of a turn count once its `partition` record is there."""
        turn = self._turn
        for key, value in pairs:
            self.read += 1
            if key is None or value is None:
                raise ChangelogError(f"the changelog has a record without key or value: {key!r}")
            turn[key] = value
            if key == PARTITION:
                self._close()
            elif key == OPENING[0]:
                turn.clear()

    def _close(self) -> None:
        records = self.records
        for key, value in self._turn.items():
            if key[:1] == b"\x00":
                records.pop(key, None)  # what is newest comes last: ids are read in their order
            records[key] = value
        self._turn.clear()


def _parsed(value: bytes | None, what: str) -> dict[str, Any]:
    if value is None:
        raise ChangelogError(f"the changelog has no record {what}: it is not whole")
    if value[:1] != VERSION:
        raise ChangelogError(
            f"the changelog's record {what} has version {value[0] if value else None}, and this "
            f"worker reads version {VERSION[0]}"
        )
    try:
        parsed: dict[str, Any] = json.loads(value[1:])
    except ValueError as error:
        raise ChangelogError(f"the changelog's record {what} is damaged: {error}") from error
    return parsed


def _ids(image: Mapping[bytes, bytes]) -> Iterable[tuple[str, np.ndarray[Any, Any]]]:
    for key, value in image.items():
        if key.startswith(IDS):
            if len(value) % 8:
                raise ChangelogError(f"the changelog's record {key!r} is damaged")
            topic = key[len(IDS) :].split(b"/")[0].decode()
            yield topic, np.frombuffer(value, "<u8").astype(np.uint64)
