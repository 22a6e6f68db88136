"""Fills by the thousand: trades of many accounts at a set rate, some damaged, some sent twice."""

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator

from confluent_kafka import Producer

from schemas.record_codec import encode
from schemas.topics import BY_NAME
from schemas.units import E8
from streams.market.events import COLLATERAL, FILLS, Cashier
from streams.market.listings import LINEAR_PERP, Listing
from streams.transport.publisher import producer_settings

TICK_S = 0.02
PRICES = 40
"""Prices a listing's trades fall on, so many ticks from the first one."""
DEPOSIT_E8 = 100_000_000 * E8
FLUSH_S = 60.0
Pair = tuple[bytes, bytes]


class Load:
    """Trades of `accounts` accounts in linear perpetuals, both sides of each, in seeded order.

    The records are the catalogue's Avro, put together from parts that were encoded once: what
    differs from fill to fill is its time, account and id. `damaged_ppm` of the fills are cut
    short; `repeated_ppm` are sent once more later, as a producer that lost an answer would.
    """

    def __init__(
        self,
        listings: list[Listing],
        *,
        seed: int,
        accounts: int,
        damaged_ppm: int = 0,
        repeated_ppm: int = 0,
    ) -> None:
        self._random = random.Random(seed)
        self._names = [f"load-{number:06d}" for number in range(accounts)]
        self._prefix = f"l{seed}-"
        self._parts = [_trade_parts(one) for one in listings if one.kind == LINEAR_PERP]
        self._damaged, self._repeated = damaged_ppm / 1e6, repeated_ppm / 1e6
        self._recent: deque[Pair] = deque(maxlen=50_000)
        self._number = 0
        self.sent: Counter[str] = Counter()

    def deposits(self, now_us: int) -> Iterator[Pair]:
        """One an account, so large that none of them is ever in trouble."""
        cashier = Cashier()
        for name in self._names:
            event = cashier.deposit(now_us, name, "USDT", DEPOSIT_E8)
            yield name.encode(), encode("collateral", {**event.record, "collateral_id": name})

    def fills(self, trades: int, now_us: int) -> list[Pair]:
        """Two fills a trade, and what is repeated."""
        draw, names = self._random, self._names
        head = _header(now_us)
        pairs: list[Pair] = []
        for _ in range(trades):
            parts = draw.choice(self._parts)
            sides = draw.choice(parts)
            for side in sides:
                name = draw.choice(names).encode()
                identity = f"{self._prefix}{self._number}".encode()
                self._number += 1
                value = b"".join(
                    (head, _length(len(name)), name, _length(len(identity)), identity, side)
                )
                chance = draw.random()
                if chance < self._damaged:
                    value = value[: draw.randrange(len(value))]
                    self.sent["damaged"] += 1
                elif chance < self._damaged + self._repeated and self._recent:
                    pairs.append(draw.choice(self._recent))
                    self.sent["repeated"] += 1
                pair = (name, value)
                pairs.append(pair)
                if chance > 0.99:
                    self._recent.append(pair)
        self.sent["fills"] += len(pairs)
        return pairs

    def run(self, bootstrap: str, rate: float, stop: threading.Event) -> None:
        """Send at `rate` fills a second until `stop`; all is delivered when it returns."""
        producer = Producer({**producer_settings(bootstrap), "log_level": 0, "linger.ms": 10})
        for key, value in self.deposits(_now_us()):
            _produce(producer, COLLATERAL, key, value)
        producer.flush(FLUSH_S)
        began, sent = time.monotonic(), 0
        while not stop.wait(TICK_S):
            due = int((time.monotonic() - began) * rate) - sent
            for key, value in self.fills(max(due, 0) // 2, _now_us()):
                _produce(producer, FILLS, key, value)
            sent += due
            producer.poll(0)
        left = producer.flush(FLUSH_S)
        if left:
            raise RuntimeError(f"{left} fills of the load were not delivered in {FLUSH_S:.0f} s")


def _produce(producer: Producer, topic: str, key: bytes, value: bytes) -> None:
    while True:
        try:
            producer.produce(topic, value, key)
        except BufferError:
            producer.poll(0.05)  # the broker sets the pace
        else:
            return


def _trade_parts(listing: Listing) -> list[tuple[bytes, bytes]]:
    """The bytes behind the id of the two sides of a trade, for a few prices and sizes."""
    found = []
    for tick in range(-PRICES // 2, PRICES // 2):
        record = {
            "event_time": 0, "account_id": "", "fill_id": "",
            "instrument_id": listing.instrument_id,
            "price_e8": listing.first_price_e8 + tick * listing.tick_e8,
            "quantity_e8": listing.lot_e8 * (1 + tick % 3), "fee_e8": 1_000 + tick,
            "fee_asset": "USDT", "liquidity": "TAKER", "margin_mode": "CROSS",
            "isolated_margin_e8": 0, "liquidation_id": None,
        }  # fmt: skip
        empty = len(_header(0)) + 2  # time, and two texts without a letter
        sides = (encode("fill", {**record, "side": side})[empty:] for side in ("BUY", "SELL"))
        found.append((next(sides), next(sides)))
    return found


def _header(now_us: int) -> bytes:
    """The framing and the time."""
    schema_id = BY_NAME[FILLS].schema_id
    return b"\0" + schema_id.to_bytes(4, "big") + _length(now_us)


def _length(number: int) -> bytes:
    """A long of Avro: zigzag, seven bits a byte; the number is not negative."""
    number <<= 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _now_us() -> int:
    return time.time_ns() // 1_000
