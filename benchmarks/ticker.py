"""Sends price ticks at a steady rate and knows when each was handed to its producer."""

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from confluent_kafka import KafkaError, Message, Producer

from benchmarks.loader import NotDeliveredError
from benchmarks.workload import listed, mark
from schemas.record_codec import encode
from schemas.wire import HEADER_BYTES, varint
from streams.market.events import PRICES
from streams.market.listings import Listing
from streams.transport.publisher import producer_settings

FLUSH_S = 10.0
TOGETHER_S = 0.004
"""Ticks that fall due within this time are handed over together, as a feed has them."""


class Blank:
    """The bytes of an instrument's ticks but for what moves.

    Whom the ticks time runs beside them: a tick must not cost what a record of any schema does.
    """

    def __init__(self, listing: Listing, depth_usd: int) -> None:
        self.key = listing.instrument_id
        self._first_price_e8 = listing.first_price_e8
        # Time, sequence and prices are 0 here, a byte each; no other byte of the names is.
        zeros = encode("mark", mark(listing, 0, 0, 1.0, depth_usd=depth_usd).record)
        names, end = HEADER_BYTES + 1, zeros.index(bytes(3), HEADER_BYTES + 1)
        self._head, self._names = zeros[:HEADER_BYTES], zeros[names:end]
        self._rest = zeros[end + 3 :]

    def filled(self, sequence: int, event_time_us: int, drop: float) -> bytes:
        """The framed bytes of `workload.mark`."""
        time_us, number = varint(2 * event_time_us), varint(2 * sequence)
        price = varint(2 * round(self._first_price_e8 * (1 - drop)))
        return b"".join([self._head, time_us, self._names, number, price, price, self._rest])


class Ticker:
    """A thread's work: ticks over the instruments in turn.

    A tick's Kafka timestamp is the wall clock when it is handed to the producer. `depth_usd` is
    that of `workload.mark`; `listings` are those of the workload, or given.
    """

    def __init__(
        self, bootstrap: str, *, depth_usd: int = 0, listings: Sequence[Listing] | None = None
    ) -> None:
        listings = listed() if listings is None else listings
        self._blanks = [Blank(listing, depth_usd) for listing in listings]
        self._round = 0
        self._producer = Producer(producer_settings(bootstrap) | {"log_level": 0})
        self._failed: list[str] = []
        self._sent_s: dict[tuple[int, int], float] = {}
        """By partition and offset."""
        self.per_s = 0.0

    def sent_s(self, source: str) -> float:
        """When the tick that is stored at topic-partition-offset was handed over, wall clock."""
        _, partition, offset = source.rsplit("-", 2)
        return self._sent_s[int(partition), int(offset)]

    def run(self, seconds: float, ticks_per_s: float, drop_at: Callable[[float], float]) -> None:
        """Every instrument once, then single ticks; `drop_at` gives the fall after so many s."""
        self.all_at(0.0)
        self.pace(seconds, ticks_per_s, drop_at)

    def all_at(self, drop: float) -> None:
        """Every instrument once."""
        self._send((blank, self._round, drop) for blank in self._blanks)
        self._round += 1
        self._flush()

    def pace(self, seconds: float, ticks_per_s: float, drop_at: Callable[[float], float]) -> None:
        """Single ticks; `drop_at` gives the fall after so many s."""
        began_s, ticks, many = time.monotonic(), int(seconds * ticks_per_s), len(self._blanks)
        sent = 0
        while sent < ticks:
            left_s = began_s + sent / ticks_per_s - time.monotonic()
            time.sleep(max(left_s, TOGETHER_S))
            due = min(int((time.monotonic() - began_s) * ticks_per_s) + 1, ticks)
            self._send(
                (
                    self._blanks[number % many],
                    self._round + 1 + number // many,
                    drop_at(number / ticks_per_s),
                )
                for number in range(sent, due)
            )
            sent = due
        self.per_s = ticks / (time.monotonic() - began_s)
        self._round += 1 - -ticks // many
        self._flush()

    def _flush(self) -> None:
        left = self._producer.flush(FLUSH_S)
        if left or self._failed:
            raise NotDeliveredError(f"{left} ticks waiting, {self._failed[:1]}")

    def _send(self, ticks: Iterable[tuple[Blank, int, float]]) -> None:
        """Each with its sequence and the fall of its price."""
        for blank, sequence, drop in ticks:
            value = blank.filled(sequence, time.time_ns() // 1_000, drop)
            sent_s = time.time()
            self._producer.produce(
                PRICES,
                value,
                blank.key,
                timestamp=int(sent_s * 1000),
                on_delivery=partial(self._delivered, sent_s),
            )
        self._producer.poll(0)

    def _delivered(self, sent_s: float, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failed.append(str(error))
        else:
            self._sent_s[message.partition(), message.offset()] = sent_s
