"""Turns refused rows into dead letters, counts them, and stops at too many in a row."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from schemas.block import Block
from schemas.dead_letter import Refusal, letter
from streams.processors.outputs import Output

LIMIT_IN_A_ROW = 1_000


class TooManyDeadLettersError(RuntimeError):
    """A whole run of records is bad: a bad release upstream, not bad records."""


class DeadLetters:
    """Letters of blocks; a run longer than `limit` ends the worker before it eats a topic."""

    def __init__(self, limit: int = LIMIT_IN_A_ROW) -> None:
        self.limit = limit
        self.by_reason: Counter[str] = Counter()
        """What was written, counted by whoever writes."""
        self._run: dict[tuple[str, int], int] = defaultdict(int)

    def write(
        self, block: Block, refused: Sequence[Refusal], clock_us: int, partition: int
    ) -> list[Output]:
        """The letters of a block's refused rows, in their order, with their original bytes.

        They become durable with the state of `partition`.
        """
        letters = []
        place = (block.topic, block.partition)
        run, following = self._run[place], 0
        for refusal in sorted(refused, key=lambda one: one.row):
            run = run + 1 if refusal.row == following else 1
            following = refusal.row + 1
            if run > self.limit:
                raise TooManyDeadLettersError(
                    f"more than {self.limit} records in a row of {block.topic}-{block.partition} "
                    f"break a rule, up to offset {int(block.offsets[refusal.row])}; "
                    f"the last one: {refusal.message}"
                )
            record = letter(
                block, refusal.row, refusal.reason, refusal.message, event_time_us=clock_us
            )
            where = f"{block.topic}-{block.partition}-{int(block.offsets[refusal.row])}"
            key = block.keys[refusal.row]
            letters.append(Output("dead-letters", key, record, where, where, partition))
        if following == len(block):
            self._run[place] = run if refused else 0
        else:
            self._run[place] = 0
        return letters
