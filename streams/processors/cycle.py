"""The cycle: blocks in, decisions out; one writer, no clock of its own, no I/O."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from risk.liquidation.stages import Ladder
from schemas.block import Block, Columns, Int64s
from schemas.block_decode import decode, decode_rows
from schemas.dead_letter import DeadLetterReason, Refusal, RefusedRecord
from schemas.topics import BY_NAME
from schemas.units import US_PER_MS
from streams.processors.dead_letters import DeadLetters
from streams.processors.liquidation import Decider
from streams.processors.outputs import Output
from streams.state.admission import Admission
from streams.state.apply_entries import apply_collateral, apply_transfers
from streams.state.apply_fills import apply_fills
from streams.state.funding import Funding
from streams.state.ledger import Applied, FundMovement, Ledger
from streams.state.mark_board import Limits, MarkBoard, price_in_range
from streams.state.recent_ids import RecentIds
from streams.state.rules import Rules

Apply = Callable[[Ledger, int, Sequence[bytes | None], Columns], Applied]
ACCOUNT_TOPICS: dict[str, Apply] = {
    "collateral": apply_collateral,
    "transfers": apply_transfers,
    "fills": apply_fills,
}


AHEAD_US = 60_000_000
"""A tick further ahead than this of the time at which it was written is refused."""


class Cycle:
    """State and decisions of one worker.

    A turn of the loop, by its numbers:
    1. take whole blocks of collateral, transfers and fills per partition, in offset order;
    2. `apply` each: dead-letter what is wrong, add up the rest;
    3. take the ticks (`take_broadcast`), conflated by the board;
    4. re-evaluate the touched and repriced buckets;
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
        limits: Limits | None = None,
        letters: DeadLetters | None = None,
        catch_up: Callable[[], None] = lambda: None,
    ) -> None:
        """`catch_up` reads the broadcast topics to their present end and hands them in; it is
        called before a record is refused for a name that may just have been listed."""
        self.ledger = Ledger(Rules(), partitions)
        self.board = MarkBoard(limits)
        self.letters = letters or DeadLetters()
        self.decider = Decider(self.ledger, self.board, ladder or Ladder())
        self.catch_up = catch_up
        self.applied: Counter[str] = Counter()
        self.writes_broadcast_letters = True
        """One worker of a group writes the letters of topics that all of them read."""
        self._outputs: list[Output] = []
        self._touched: list[Int64s] = []
        self._position: dict[tuple[str, int], int] = {}
        self._funding_ids = RecentIds()
        self.funding = Funding(self.ledger)
        self._decided_us = 0

    def read_from(self, topic: str, partition: int) -> int | None:
        """The offset at which the state of a partition ends; None where there is none."""
        return self._position.get((topic, partition))

    def positions(self) -> dict[str, int]:
        """Where the state ends, by "topic-partition", of every partition read so far."""
        return {f"{topic}-{number}": end for (topic, number), end in self._position.items()}

    def apply(self, block: Block) -> None:
        """2. Post a block of an account topic; rows that the state has seen do nothing."""
        block = self._unseen(block)
        if not len(block):
            return
        record = BY_NAME[block.topic].record
        decoded = decode(block, record)
        if self._names_unknown(decoded.columns):
            self.catch_up()
        apply, refused, applied = ACCOUNT_TOPICS[block.topic], list(decoded.refused), 0
        for columns in self.funding.between(block.partition, block.topic, decoded.columns):
            result = apply(self.ledger, block.partition, block.keys, columns)
            refused.extend(result.refused)
            applied += result.applied
            self._fund(result.fund_movements)
            self._touched.append(result.touched)
        self._refuse(block, refused)
        self._quarantine(block, refused)
        self.applied[block.topic] += applied
        assert applied + len(refused) == len(block), "a record was lost"

    def take_broadcast(self, block: Block) -> None:
        """3. Take a block of prices, rules, account settings or funding."""
        block = self._unseen(block)
        if not len(block):
            return
        refused = self._prices(block) if block.topic == "prices" else self._records(block)
        self.applied[block.topic] += len(block) - len(refused)
        if self.writes_broadcast_letters:
            self._refuse(block, refused)

    def restore_episodes(self, block: Block) -> None:
        """Take the number of each bucket's last episode from a block of margin states."""
        for _, record in decode_rows(block, "margin_state")[0]:
            for bucket in record["buckets"]:
                self.ledger.restore_episode(
                    record["account_id"], bucket["bucket"], bucket["episode"]
                )

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

    def take_outputs(self) -> list[Output]:
        """6. What is to be published now."""
        outputs, self._outputs = self._outputs, []
        return outputs

    def drop_partition(self, partition: int) -> None:
        """The partition is another worker's: forget its accounts and where they end."""
        self.ledger.drop_partition(partition)
        self.funding.forget(partition)
        for topic in ACCOUNT_TOPICS:
            self._position.pop((topic, partition), None)

    def _unseen(self, block: Block) -> Block:
        place = (block.topic, block.partition)
        start = int(np.searchsorted(block.offsets, self._position.get(place, 0)))
        if start < len(block):
            self._position[place] = int(block.offsets[-1]) + 1
        if start == 0:
            return block
        return Block(
            block.topic,
            block.partition,
            block.offsets[start:],
            block.keys[start:],
            block.values[start:],
            block.timestamps_ms[start:],
        )

    def _names_unknown(self, columns: Columns) -> bool:
        """Whether an instrument or asset is named that was not heard of yet."""
        rules = self.ledger.rules
        for field, known in (
            ("instrument_id", rules.number),
            ("isolated_instrument_id", rules.number),
            ("fee_asset", rules.asset_number),
            ("asset", rules.asset_number),
        ):
            if not set(columns.data.get(field, ())) - {None} <= known.keys():
                return True
        return False

    def _refuse(self, block: Block, refused: list[Refusal]) -> None:
        self._outputs.extend(self.letters.write(block, refused, self.board.clock_us))

    def _quarantine(self, block: Block, refused: list[Refusal]) -> None:
        for refusal in refused:
            key = block.keys[refusal.row]
            if key and refusal.reason is not DeadLetterReason.DUPLICATE_ID:
                name = key.decode(errors="replace")
                if self.ledger.book.accounts.find(name) is not None:
                    written_us = int(block.timestamps_ms[refusal.row]) * US_PER_MS
                    self.ledger.quarantine(name, block.partition, written_us)

    def _fund(self, movements: list[FundMovement]) -> None:
        for one in movements:
            record = {
                "event_time": one.event_time,
                "asset": one.asset,
                "balance_e8": one.balance_e8,
                "change_e8": one.change_e8,
                "reason": one.reason,
                "source_id": one.source_id,
            }
            self._outputs.append(
                Output("insurance-fund", one.asset, record, f"{one.account_id}/{one.source_id}")
            )

    def _prices(self, block: Block) -> list[Refusal]:
        decoded = decode(block, "mark")
        if self._names_unknown(decoded.columns):
            self.catch_up()
        admission = Admission(decoded.columns)
        data = decoded.columns.data
        admission.require_text("instrument_id", "source")
        admission.require_time()
        written_us = block.timestamps_ms[decoded.columns.rows] * US_PER_MS
        admission.require(
            (written_us <= 0) | (data["event_time"] <= written_us + AHEAD_US),
            DeadLetterReason.TIME_OUT_OF_RANGE,
            lambda row: (
                f"event_time {data['event_time'][row]} us is ahead of the record's own "
                f"time {written_us[row]} us: it would move the clock of decisions"
            ),
        )
        numbers = admission.numbers(
            "instrument_id", self.ledger.rules.number, DeadLetterReason.UNKNOWN_INSTRUMENT
        )
        marks = data["mark_e8"]
        admission.require(
            marks > 0,
            DeadLetterReason.NON_POSITIVE_PRICE,
            lambda row: f"mark_e8 {marks[row]} is not positive",
        )
        admission.require(
            price_in_range(marks),
            DeadLetterReason.AMOUNT_OUT_OF_RANGE,
            lambda row: f"mark_e8 {marks[row]} is beyond 18 digits",
        )
        admission.require_range("index_e8")
        rows = np.flatnonzero(admission.ok)
        offsets = block.offsets[decoded.columns.rows[rows]].tolist()
        self.board.resize(len(self.ledger.rules.instruments))
        self.board.take(
            numbers[rows],
            decoded.columns.chosen(rows),
            [f"{block.topic}-{block.partition}-{offset}" for offset in offsets],
        )
        return [*decoded.refused, *admission.refused]

    def _records(self, block: Block) -> list[Refusal]:
        rows, refused = decode_rows(block, BY_NAME[block.topic].record)
        take = {
            "instruments": self.ledger.rules.take_instrument,
            "assets": self.ledger.rules.take_asset,
            "risk-params": lambda r: self.ledger.rules.take_risk_params(r, self.board.clock_us),
            "accounts": self.ledger.take_account,
            "funding": self._funding,
        }[block.topic]
        for row, record in rows:
            try:
                take(record)
            except RefusedRecord as refusal:
                refused.append(Refusal(row, refusal.reason, refusal.message))
            except ValueError as error:
                refused.append(
                    Refusal(row, DeadLetterReason.AMOUNT_OUT_OF_RANGE, f"{block.topic}: {error}")
                )
        self.board.resize(len(self.ledger.rules.instruments))
        return refused

    def _funding(self, record: dict[str, Any]) -> None:
        name, identity = record["instrument_id"], record["funding_id"]
        instrument = self.ledger.rules.number.get(name)
        if instrument is None:
            message = f"instrument_id {name!r} is not known"
            raise RefusedRecord(DeadLetterReason.UNKNOWN_INSTRUMENT, message)
        if record["mark_e8"] <= 0:
            message = f"mark_e8 {record['mark_e8']} is not positive"
            raise RefusedRecord(DeadLetterReason.NON_POSITIVE_PRICE, message)
        if not abs(record["rate"]) <= 1:
            message = f"rate {record['rate']} is not between -1 and 1"
            raise RefusedRecord(DeadLetterReason.AMOUNT_OUT_OF_RANGE, message)
        if not self._funding_ids.first_seen([identity], np.ones(1, np.bool_))[0]:
            message = f"funding_id {identity!r} was seen before"
            raise RefusedRecord(DeadLetterReason.DUPLICATE_ID, message)
        self._funding_ids.remember([identity])
        self.funding.take(record["event_time"], instrument, record["rate"], record["mark_e8"])
