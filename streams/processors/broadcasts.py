"""What every worker hears: prices, instruments, assets, rules, account settings, funding."""

from collections.abc import Callable
from typing import Any

import numpy as np

from schemas.block import Block, Columns
from schemas.block_decode import decode_rows
from schemas.dead_letter import DeadLetterReason, Refusal, RefusedRecord
from schemas.topics import BY_NAME
from streams.processors.dead_letters import DeadLetters
from streams.processors.outputs import Output
from streams.state.flat_rows import read_flat
from streams.state.funding import Funding, Payment
from streams.state.ledger import Ledger
from streams.state.mark_board import MarkBoard
from streams.state.name_table import given
from streams.state.probing import EMPTY
from streams.state.recent_ids import RecentIds, hashes
from streams.state.rules import Rules
from streams.state.tick_rules import admitted


class Broadcasts:
    """Takes blocks of the broadcast topics, and keeps the letters of what they refuse.

    Every worker refuses the same records; who holds partition 0 writes their letters, once.
    """

    def __init__(
        self,
        ledger: Ledger,
        board: MarkBoard,
        funding: Funding,
        letters: DeadLetters,
        *,
        catch_up: Callable[[], None],
        hear: Callable[[dict[str, Any]], None],
    ) -> None:
        self._hear = hear
        self._ledger = ledger
        self._board = board
        self._funding = funding
        self._letters = letters
        self._catch_up = catch_up
        self._funding_ids = RecentIds()
        self._written: list[tuple[str, int, Output]] = []
        """Place, offset and letter of every refused record."""

    def take(self, block: Block) -> int:
        """Returns how many records were refused."""
        refused = self._prices(block) if block.topic == "prices" else self._records(block)
        place = f"{block.topic}-{block.partition}"
        for letter in self._letters.write(block, refused, self._board.clock_us, 0):
            self._written.append((place, int(letter.values["offset"]), letter))
        return len(refused)

    def letters_after(self, written: dict[str, int]) -> list[Output]:
        """The letters at or after these offsets, by "topic-partition"; the offsets move on."""
        outputs = []
        for place, offset, letter in self._written:
            if offset >= written.get(place, 0):
                outputs.append(letter)
                written[place] = offset + 1
        return outputs

    def _prices(self, block: Block) -> list[Refusal]:
        decoded, rules = read_flat(block, "mark"), self._ledger.rules
        if names_unknown(rules, decoded.columns):
            self._catch_up()
        instruments, ticks, refused = admitted(rules, block, decoded.columns)
        place = f"{block.topic}-{block.partition}"
        self._board.resize(len(rules.instruments))
        self._board.take(instruments, ticks, place, block.offsets[ticks.rows])
        return [*decoded.refused, *refused]

    def _records(self, block: Block) -> list[Refusal]:
        rows, refused = decode_rows(block, BY_NAME[block.topic].record)
        take = {
            "instruments": self._take_instrument,
            "assets": self._ledger.rules.take_asset,
            "risk-params": lambda r: self._ledger.rules.take_risk_params(r, self._board.clock_us),
            "accounts": self._ledger.take_account,
            "funding": self._take_funding,
            "deleveraging": self._hear,
        }[block.topic]
        for row, record in rows:
            try:
                if block.topic == "funding":
                    record["source"] = (block.partition, int(block.offsets[row]))
                take(record)
            except RefusedRecord as refusal:
                refused.append(Refusal(row, refusal.reason, refusal.message))
            except ValueError as error:
                refused.append(
                    Refusal(row, DeadLetterReason.AMOUNT_OUT_OF_RANGE, f"{block.topic}: {error}")
                )
        return refused

    def _take_instrument(self, record: dict[str, Any]) -> None:
        rules = self._ledger.rules
        rules.take_instrument(record)
        self._board.resize(len(rules.instruments))
        self._board.list_instrument(rules.number[record["instrument_id"]], record)

    def _take_funding(self, record: dict[str, Any]) -> None:
        name, identity = record["instrument_id"], record["funding_id"]
        number = self._ledger.rules.number
        if name not in number:
            self._catch_up()  # topics have no order between them
        instrument = number.get(name)
        if instrument is None:
            message = f"instrument_id {name!r} is not known"
            raise RefusedRecord(DeadLetterReason.UNKNOWN_INSTRUMENT, message)
        settles = record["kind"] == "SETTLEMENT"
        least_e8 = 0 if settles and not self._ledger.rules.contracts.inverse[instrument] else 1
        if record["mark_e8"] < least_e8:
            message = f"mark_e8 {record['mark_e8']} is not positive"
            raise RefusedRecord(DeadLetterReason.NON_POSITIVE_PRICE, message)
        if not abs(record["rate"]) <= 1:
            message = f"rate {record['rate']} is not between -1 and 1"
            raise RefusedRecord(DeadLetterReason.AMOUNT_OUT_OF_RANGE, message)
        if not self._funding_ids.first_seen(hashes([identity]), np.ones(1, np.bool_))[0]:
            message = f"funding_id {identity!r} was seen before"
            raise RefusedRecord(DeadLetterReason.DUPLICATE_ID, message)
        self._funding_ids.remember(hashes([identity]))
        time_us, rate, mark_e8 = record["event_time"], record["rate"], record["mark_e8"]
        source = record["source"]
        self._funding.take(Payment(time_us, settles, instrument, rate, mark_e8, source))


def names_unknown(rules: Rules, columns: Columns) -> bool:
    """Whether an instrument or asset is named that was not heard of yet."""
    for field, known in (
        ("instrument_id", rules.instrument_table),
        ("isolated_instrument_id", rules.instrument_table),
        ("fee_asset", rules.asset_table),
        ("asset", rules.asset_table),
    ):
        names = columns.data.get(field)
        if names is not None and (known.found(given(names)) == EMPTY).any():
            return True
    return False
