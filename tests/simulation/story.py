"""A small seeded market on a fake broker: deposits, trades, falling marks, answers to orders."""

from functools import cache, lru_cache
from random import Random
from typing import Any

from schemas.record_codec import decode, encode
from schemas.topics import BY_NAME
from schemas.units import E8
from tests.simulation.crowd import Crowd
from tests.simulation.log import FakeBroker, home_of
from tests.simulation.mood import CALM, Mood
from tests.streams.state import exchange
from tests.streams.state.exchange import NOW_US, asset, instrument, risk_params

Record = dict[str, Any]
Sent = tuple[str, bytes, bytes, str]
"""Topic, key, value, and where it is: topic-partition-offset."""
FUND = "@insurance:USDT"
INSTRUMENTS = {
    record["instrument_id"]: record
    for record in (
        instrument("BTC-PERP", "LINEAR_PERP", "BTC", "USDT"),
        instrument("ETH-PERP", "LINEAR_PERP", "ETH", "USDT", multiplier_e8=E8 // 10),
    )
}
QUANTITY_E8 = {"BTC-PERP": E8, "ETH-PERP": 20 * E8}
"""What one trade of a person is about, worth about as much in both."""
OPENING_PRICE = {"BTC-PERP": 50_000, "ETH-PERP": 25_000}
NAMES = ("ada", "bob", "cyd", "dan", "eve", "fay", "gus", "hal")
S_US = 1_000_000


@lru_cache(2_000)
def encoded(topic: str, fields: tuple[tuple[str, Any], ...]) -> bytes:
    """Openings are alike in all worlds: each record of theirs is encoded once."""
    return encode(BY_NAME[topic].record, dict(fields))


@cache
def rules() -> tuple[tuple[str, bytes, bytes], ...]:
    """What every world lists first: topic, key, value."""
    tiers = [{"floor_e8": 0, "initial_ppm": 100_000, "maintenance_ppm": 50_000}]
    listed = [
        *(("instruments", record) for record in INSTRUMENTS.values()),
        ("assets", asset("USDT", None, [])),
        *(("risk-params", risk_params(name, tiers=tiers)) for name in INSTRUMENTS),
    ]
    return tuple(
        (topic, record[BY_NAME[topic].keyed_by].encode(), encode(BY_NAME[topic].record, record))
        for topic, record in listed
    )


class Story:
    """Sends what an exchange and its customers would; remembers what it sent wrong on purpose."""

    def __init__(self, broker: FakeBroker, rng: Random, mood: Mood = CALM) -> None:
        self._broker = broker
        self._rng = rng
        self._mood = mood
        self.now_us = NOW_US
        self._number = 0
        self._price = dict(OPENING_PRICE)
        self._sent: list[Sent] = []
        self._open: dict[str, Record] = {}
        """Orders as they were told of last, by id."""
        self.settled: set[str] = set()
        self._answered = dict.fromkeys(range(broker.partitions), 0)
        self.bad: dict[str, str] = {}
        """topic-partition-offset of every record that must be refused -> of the one it repeats."""
        self.makers = [self._maker(number) for number in range(broker.partitions)]
        self.people = NAMES[: rng.randint(4, 6)]
        self.crowd = Crowd(
            broker,
            rng,
            bidders=(*self.makers, *self.people),
            bid=lambda bid: self._send("auction-bids", bid)[3],
            close=self._leave,
        )

    def open(self) -> None:
        """Rules, deposits, a position of everything in every partition, and people's first."""
        for topic, key, value in rules():
            self._broker.send(topic, key, value)
        if self._mood.fund:
            self._deposit(FUND, self._mood.fund)
        for maker in self.makers:
            self._deposit(maker, 500_000_000)
        for name in INSTRUMENTS:
            first, *others = self.makers
            for maker in others:
                self._trade(first, maker, name, lots=500)
        for person in self.people:
            self._deposit(person, self._rng.choice(self._mood.deposits))
            self._trade_of(person)
            self._new_order(person)

    def step(self) -> None:
        """A second or more later: new marks, and some of all that can happen."""
        rng = self._rng
        self.now_us += rng.randint(1, 3) * S_US
        self._answer()
        self.crowd.act(self.now_us)
        if rng.random() < 0.5:
            self._trade_of(rng.choice(self.people))
        if rng.random() < 0.5:
            self._order()
        if rng.random() < 0.2:
            self._deposit(rng.choice(self.people), rng.choice((500, 3_000)))
        if rng.random() < 0.35:
            self._pay_funding()
        if rng.random() < 0.03 and not self.settled:
            self._settle("ETH-PERP")
        if rng.random() < 0.4:
            self._send_again()
        if rng.random() < 0.1:
            self._send_damaged()
        self.tick()

    def tick(self) -> None:
        """New marks; more often than not they fall."""
        if self._rng.random() < self._mood.gap_rate:
            self._mark((0.952,))
        self._mark((0.97, 0.98, 0.99, 1.005))

    def rest(self) -> None:
        """A second later nobody has traded but on what the funds have said."""
        self.now_us += S_US
        self.crowd.act(self.now_us)
        self._mark((1,))

    def _mark(self, moves: tuple[float, ...]) -> None:
        for name in self._traded():
            least = OPENING_PRICE[name] * 6 // 10  # further down marks are doubted, and all waits
            self._price[name] = max(round(self._price[name] * self._rng.choice(moves)), least)
            self._number += 1
            mark = exchange.mark(self._number, name, self._price[name], event_time=self.now_us)
            self._send("prices", mark)

    def _answer(self) -> None:
        """Trade on what the engine ordered, as far as it is committed."""
        for partition, first in self._answered.items():
            for entry in self._broker.logs["liquidations", partition].committed(first):
                self._answered[partition] = entry.offset + 1
                order = decode(entry.value or b"", "liquidation")[1]
                traded = order["instrument_id"] in self._traded()
                if (
                    order["action"] == "REDUCE"
                    and traded
                    and self._rng.random() < self._mood.fill_rate
                ):
                    self._close(order)

    def _close(self, order: Record) -> None:
        name, lots = order["instrument_id"], order["quantity_e8"]
        other = "SELL" if order["side"] == "BUY" else "BUY"
        mode = "CROSS" if order["bucket"] == "cross" else "ISOLATED"
        self._fill(
            order["account_id"], name, order["side"], lots,
            margin_mode=mode, liquidation_id=order["liquidation_id"],
        )  # fmt: skip
        self._fill(self._rng.choice(self.makers), name, other, lots)

    def _trade_of(self, person: str) -> None:
        name = self._rng.choice(self._traded())
        isolated = self._rng.random() < 0.3
        more = {"margin_mode": "ISOLATED", "isolated_margin_e8": 3_000 * E8} if isolated else {}
        maker = self._rng.choice(self.makers)
        if self._rng.random() < self._mood.short_rate:
            self._fill(person, name, "SELL", QUANTITY_E8[name], **more)
            self._fill(maker, name, "BUY", QUANTITY_E8[name])
        else:
            self._trade(person, maker, name, **more)

    def _leave(self, held: Record, name: str) -> None:
        """A winner closes what it holds before anyone else does."""
        lots, side = abs(held["quantity_e8"]), "SELL" if held["quantity_e8"] > 0 else "BUY"
        others = [one for one in self.makers if one != held["account_id"]]
        if name in self._traded():
            mode = "CROSS" if held["bucket"] == "cross" else "ISOLATED"
            self._fill(held["account_id"], name, side, lots, margin_mode=mode)
            other = "SELL" if side == "BUY" else "BUY"
            self._fill(self._rng.choice(others), name, other, lots)

    def _trade(self, buyer: str, seller: str, name: str, lots: int = 1, **more: Any) -> None:
        quantity_e8 = lots * QUANTITY_E8[name]
        self._fill(buyer, name, "BUY", quantity_e8, fee_e8=E8, **more)
        self._fill(seller, name, "SELL", quantity_e8)

    def _fill(self, account: str, name: str, side: str, quantity_e8: int, **more: Any) -> None:
        self._number += 1
        fill = exchange.fill(
            self._number, account, instrument_id=name, side=side, quantity_e8=quantity_e8,
            price_e8=self._price[name] * E8, event_time=self.now_us, **more,
        )  # fmt: skip
        self._sent.append(self._send("fills", fill))

    def _deposit(self, account: str, amount: int) -> None:
        self._number += 1
        deposit = exchange.deposit(
            self._number, account, amount_e8=amount * E8, event_time=self.now_us
        )
        self._sent.append(self._send("collateral", deposit))

    def _order(self) -> None:
        """Somebody orders, has an order filled in part or changed, or takes one back."""
        rng, fate = self._rng, self._rng.random()
        if fate < 0.4 or not self._open:
            self._new_order(rng.choice((*self.people, *self.makers)))
            return
        last = self._open[rng.choice(list(self._open))]
        if fate < 0.7 or last["instrument_id"] in self.settled:
            del self._open[last["order_id"]]
            self._tell_order(last, remaining_e8=0)
        elif fate < 0.98:
            mode = rng.choice(("CROSS", "CROSS", "ISOLATED"))
            remaining_e8 = rng.randint(1, 5) * E8
            self._open[last["order_id"]] = self._tell_order(
                last, remaining_e8=remaining_e8, margin_mode=mode
            )
        else:
            self._tell_order(last, remaining_e8=-E8)
            self.bad[self._sent.pop()[3]] = ""

    def _new_order(self, account: str) -> None:
        rng = self._rng
        self._number += 1
        order = exchange.order(
            self._number, account, instrument_id=rng.choice(self._traded()),
            side=rng.choice(("BUY", "SELL")), reduce_only=rng.random() < 0.1,
        )  # fmt: skip
        self._open[order["order_id"]] = self._tell_order(order, remaining_e8=2 * E8)

    def _tell_order(self, last: Record, **more: Any) -> Record:
        order = {**last, "event_time": self.now_us, **more}
        self._sent.append(self._send("orders", order))
        return order

    def _pay_funding(self) -> None:
        self._number += 1
        name = self._rng.choice(self._traded())
        payment = exchange.funding(
            self._number, instrument_id=name, rate=self._rng.choice((0.001, -0.0003)),
            event_time=self.now_us + self._rng.choice((-S_US, 0, S_US)),
            mark_e8=self._price[name] * E8,
        )  # fmt: skip
        self._sent.append(self._send("funding", payment))

    def _settle(self, name: str) -> None:
        """The contract ends: whoever hears of it late must still end there."""
        self.settled.add(name)
        settlement = exchange.funding(
            self._number, instrument_id=name, funding_id=f"{name}/end", rate=0.0, kind="SETTLEMENT",
            event_time=self.now_us, mark_e8=self._price[name] * E8,
        )  # fmt: skip
        self._sent.append(self._send("funding", settlement))

    def _traded(self) -> tuple[str, ...]:
        return tuple(name for name in INSTRUMENTS if name not in self.settled)

    def _send_again(self) -> None:
        """A producer that was not sure whether its record had arrived."""
        topic, key, value, place = self._rng.choice(self._sent)
        again = self._put(topic, key, value)
        if topic != "orders":  # of an order the last word counts, also where it is an old one
            self.bad[again] = place

    def _send_damaged(self) -> None:
        topic, key, value, _ = self._rng.choice(self._sent)
        damaged = self._rng.choice((value[:-3], value + b"\0", b"", None))
        self.bad[self._put(topic, key, damaged)] = ""

    def _put(self, topic: str, key: bytes, value: bytes | None) -> str:
        partition, offset = self._broker.send(topic, key, value)
        return f"{topic}-{partition}-{offset}"

    def _send(self, topic: str, record: Record) -> Sent:
        row = BY_NAME[topic]
        key, value = record[row.keyed_by].encode(), encoded(topic, tuple(record.items()))
        return topic, key, value, self._put(topic, key, value)

    def _maker(self, partition: int) -> str:
        """An account of the partition: there is no decision without a position in it."""
        names = (f"maker-{number}" for number in range(1_000))
        return next(name for name in names if home_of(name, self._broker.partitions) == partition)
