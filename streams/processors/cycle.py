"""The cycle: blocks in, decisions out; one writer, no clock of its own, no I/O."""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from zlib import crc32

import numpy as np

from risk.liquidation.pacing import Pace
from risk.liquidation.stages import Ladder
from risk.profile import Profile
from schemas.block import Block, Columns, Int64s
from schemas.block_decode import decode
from schemas.dead_letter import DeadLetterReason, Refusal
from schemas.topics import BY_NAME
from schemas.units import US_PER_MS
from streams.processors.broadcasts import Broadcasts, names_unknown
from streams.processors.dead_letters import DeadLetters
from streams.processors.liquidation import Decider
from streams.processors.liquidation_map import LiquidationMaps
from streams.processors.margin import affords
from streams.processors.movements import fund_record, realised, return_leg
from streams.processors.outputs import Output, Outputs, Table
from streams.processors.waterfall import FundRules, Waterfall
from streams.state.apply_bids import apply_bids
from streams.state.apply_entries import apply_collateral
from streams.state.apply_fills import apply_fills
from streams.state.apply_orders import apply_orders
from streams.state.apply_transfers import apply_transfers
from streams.state.changelog import ChangelogError
from streams.state.flat_rows import read_flat
from streams.state.funding import Funding
from streams.state.guards import Limits
from streams.state.ledger import Applied, Ledger
from streams.state.mark_board import MarkBoard
from streams.state.partition_log import PartitionLog
from streams.state.rules import Rules

Apply = Callable[[Ledger, Block, Columns], Applied]
ACCOUNT_TOPICS: dict[str, Apply] = {
    "collateral": apply_collateral,
    "transfers": apply_transfers,
    "auction-bids": apply_bids,
    "fills": apply_fills,
    "orders": apply_orders,
}


class Cycle:
    """State and decisions of one worker.

    A turn of the loop, by its numbers:
    1. take whole blocks of the account topics per partition, in offset order;
    2. `apply` each: dead-letter what is wrong, add up the rest;
    3. take the ticks (`take_broadcast`), conflated by the board;
    4. re-evaluate the touched buckets, and the repriced ones that a price may have come near;
    5. step the ladder of those buckets (4 and 5 are `decide`);
    6. publish `take_outputs`, and only then acknowledge the blocks.
    Decisions fall only where the board's clock moved, so they follow from the inputs applied and
    the marks taken until then, not from how these fell into blocks or turns.
    """

    def __init__(
        self,
        partitions: int,
        *,
        ladder: Ladder | None = None,
        pace: Pace | None = None,
        penalty_ppm: int = 5_000,
        limits: Limits | None = None,
        letters: DeadLetters | None = None,
        catch_up: Callable[[], None] = lambda: None,
        app: str = "plimsoll",
        profile: Profile | None = None,
        fund_rules: FundRules | None = None,
        map_ms: int = 0,
    ) -> None:
        """`catch_up` reads the broadcast topics to their present end and hands them in; it is
        called before a record is refused for a name that may just have been listed. Liquidation
        maps are published every `map_ms` of the board's clock, never where it is 0."""
        self.ledger = Ledger(Rules(), partitions, profile, penalty_ppm)
        self.board = MarkBoard(limits)
        self.letters = letters or DeadLetters()
        self.decider = Decider(
            self.ledger, self.board, ladder or Ladder(), pace or Pace(), lambda: len(self.log.held)
        )
        self._maps = LiquidationMaps(self.ledger, self.board, map_ms)
        self.catch_up = catch_up
        self.applied: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        """Records of account topics that came again after they were applied."""
        self._outputs: list[Output | Table] = []
        self._touched: list[Int64s] = []
        self._position: dict[tuple[str, int], int] = {}
        self.funding = Funding(self.ledger, self.ends)
        self.log = PartitionLog(app, self.ledger, self.funding)
        self.ledger.affords = partial(affords, self.ledger, self.board)
        self._waterfall = Waterfall(self.ledger, self.board, fund_rules or FundRules())
        self._broadcasts = Broadcasts(
            self.ledger,
            self.board,
            self.funding,
            self.letters,
            catch_up=catch_up,
            hear=self._waterfall.hear,
        )
        self._decided_us = 0

    def read_from(self, topic: str, partition: int) -> int | None:
        """The offset at which the state of a partition ends; None where there is none."""
        return self._position.get((topic, partition))

    def resume_at(self, topic: str, partition: int) -> int | None:
        """Where to read on: at the last record read, which must still be the same."""
        held = self.log.held.get(partition)
        last = held.last.get(topic) if held else None
        return last[0] if last else self.read_from(topic, partition)

    def positions(self) -> dict[str, int]:
        """Where the state ends, by "topic-partition", of every partition read so far."""
        return {f"{topic}-{number}": end for (topic, number), end in self._position.items()}

    def apply(self, block: Block) -> None:
        """2. Post a block of an account topic; rows that the state has seen do nothing."""
        block = self._unseen(block)
        if not len(block):
            return
        held = self.log.held.get(block.partition)
        if held is not None:
            held.last[block.topic] = [int(block.offsets[-1]), crc32(block.values[-1] or b"")]
        if block.topic == "transfers":
            legs = [int(block.offsets[0]), int(block.offsets[-1]) + 1]
            ends = self.ends(block.partition)
            self.ledger.tell_order(block.partition, {"legs": legs, "ends": ends})
        read = read_flat if block.topic == "fills" else decode
        decoded = read(block, BY_NAME[block.topic].record)
        if names_unknown(self.ledger.rules, decoded.columns):
            self.catch_up()
        fresh = self._new_to_accounts(block, decoded.columns)
        skipped = len(decoded.columns) - len(fresh)
        apply, refused, applied = ACCOUNT_TOPICS[block.topic], list(decoded.refused), 0
        for columns in self.funding.between(block, fresh):
            result = apply(self.ledger, block, columns)
            refused.extend(result.refused)
            applied += result.applied
            for movement in result.fund_movements:
                self._outputs.append(fund_record(self.ledger, movement, block.partition))
            for leg in result.returned:
                back = return_leg(self.ledger, leg, self.board.clock_us, block.partition)
                self._outputs.extend(back)
            self._touched.append(result.touched)
            self._touched.extend(self.funding.settle_late(block.partition, columns))
        self._outputs.extend(
            self.letters.write(block, refused, self.board.clock_us, block.partition)
        )
        self._quarantine(block, refused)
        self.applied[block.topic] += applied
        self.skipped[block.topic] += skipped
        assert applied + skipped + len(refused) == len(block), "a record was lost"

    def take_broadcast(self, block: Block) -> None:
        """3. Take a block of prices, rules, account settings or funding."""
        block = self._unseen(block)
        if not len(block):
            return
        self.applied[block.topic] += len(block) - self._broadcasts.take(block)

    def decide(self) -> None:
        """4 and 5. Evaluate and step, where the board's clock moved since the last decision."""
        if self.board.clock_us <= self._decided_us:
            return
        self._decided_us = self.board.clock_us
        self.ledger.rules.advance(self.board.clock_us)
        self._touched.extend(self.funding.due(self.board.clock_us))
        touched = (
            np.unique(np.concatenate(self._touched)) if self._touched else np.empty(0, np.int64)
        )
        self._touched.clear()
        self._outputs.extend(self.decider.decide(touched))
        self._outputs.extend(self._waterfall.decide(sorted(self.log.held)))
        self._outputs.extend(realised(self.ledger, self.board.clock_us))
        self._outputs.extend(self._maps.due(self.log.held))

    def take_outputs(self) -> Outputs:
        """6. What is to be published now."""
        parts, self._outputs = self._outputs, []
        if 0 in self.log.held:
            parts += self._broadcasts.letters_after(self.log.held[0].letters)
        for one in parts:
            if one.topic == "dead-letters" and isinstance(one, Output):
                self.letters.by_reason[one.values["reason"]] += 1
        return Outputs(parts)

    def take_partition(self, partition: int, image: Mapping[bytes, bytes]) -> None:
        """Rebuild a partition from its changelog; ChangelogError where that is not whole.

        What its accounts' episodes have asked for was published with the state; where they stand
        is published anew.
        """
        self.drop_partition(partition)
        ends = self.log.load(partition, image, self.catch_up) or {}
        for topic in ACCOUNT_TOPICS:
            self._position[topic, partition] = ends.get(topic, 0)
        self.decider.restate(partition)

    def touched(self) -> set[int]:
        """Partitions in which an account differs from what the changelog has of it."""
        book = self.ledger.book
        return set(book.accounts["partition"][book.touched.rows()].tolist())

    def ends(self, partition: int) -> dict[str, int]:
        """By account topic: the offset behind what is applied."""
        return {topic: self._position.get((topic, partition), 0) for topic in ACCOUNT_TOPICS}

    def drop_partition(self, partition: int) -> None:
        """The partition is another worker's: forget its accounts and where they end."""
        self.log.drop(partition)
        self._outputs = Outputs(self._outputs).without(partition)
        for topic in ACCOUNT_TOPICS:
            self._position.pop((topic, partition), None)

    def _unseen(self, block: Block) -> Block:
        place = (block.topic, block.partition)
        start = int(np.searchsorted(block.offsets, self._position.get(place, 0)))
        if start < len(block):
            self._position[place] = int(block.offsets[-1]) + 1
        if start == 0:
            return block
        self.skipped[block.topic] += start
        self._require_same(block, start)
        return Block(
            block.topic,
            block.partition,
            block.offsets[start:],
            block.keys[start:],
            block.values[start:],
            block.timestamps_ms[start:],
        )

    def _require_same(self, block: Block, skipped: int) -> None:
        """ChangelogError where the last record read is another one now: the topic was made anew."""
        held = self.log.held.get(block.partition)
        offset, crc = (held.last.get(block.topic) if held else None) or (-1, 0)
        place = int(np.searchsorted(block.offsets[:skipped], offset))
        found = place < skipped and block.offsets[place] == offset
        if found and crc32(block.values[place] or b"") != crc:
            raise ChangelogError(
                f"{block.topic}-{block.partition}: the record at offset {offset} is not the one "
                "that was applied there: the topic was made anew. Delete the changelog too and "
                "start with --rebuild, or restore the topic"
            )

    def _new_to_accounts(self, block: Block, columns: Columns) -> Columns:
        """The rows that their accounts have not applied: a torn transaction may leave one ahead."""
        held = self.log.held.get(block.partition)
        if held is None or block.offsets[0] >= held.ahead.get(block.topic, 0):
            return columns
        accounts = self.ledger.book.accounts
        rows = accounts.found(columns.data["account_id"])
        seen = (rows >= 0) & (block.offsets[columns.rows] < accounts[block.topic][rows])
        return columns.chosen(np.flatnonzero(~seen))

    def _quarantine(self, block: Block, refused: list[Refusal]) -> None:
        for refusal in refused:
            key = block.keys[refusal.row]
            wrong = refusal.reason is not DeadLetterReason.DUPLICATE_ID
            if key and wrong and block.topic != "auction-bids":
                name = key.decode(errors="replace")
                if self.ledger.book.accounts.find(name) is not None:
                    written_us = int(block.timestamps_ms[refusal.row]) * US_PER_MS
                    self.ledger.quarantine(name, block.partition, written_us)
