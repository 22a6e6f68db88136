"""A contender in deciding: a plain loop of confluent-kafka, fastavro and dicts, event by event.

On each tick it values every account that holds the instrument: equity from cash and the profit of
each position, the maintenance margin from the notionals. An account that falls below the call level
or below its maintenance margin is told so at once, once. It neither sizes orders nor keeps a
changelog, guards prices or waits for a confirmation: all that is in its favour.
"""

import gc
import json
from io import BytesIO
from typing import Any

import fastavro
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, Producer
from confluent_kafka import TopicPartition as Place

from benchmarks.contender import settings_of_this_process
from benchmarks.crowd import crowd, listed
from benchmarks.workload import TIERS, account_name
from risk.liquidation.stages import Ladder
from schemas.registry import record_schema
from schemas.units import E8, PPM
from schemas.wire import HEADER_BYTES

PRICES, DECISIONS = "prices", "loop-decisions"
MARK = record_schema("mark").parsed
MAINTENANCE_PPM = TIERS[0][2]
CALL_PPM = MAINTENANCE_PPM * Ladder().call_health_ppm // PPM
AT_ONCE = 1_000
WAIT_S = 0.01
SAFE, CALLED, LIQUIDATED = range(3)
ACTIONS = {CALLED: "CALL", LIQUIDATED: "CANCEL_ORDERS"}


class Account:
    """What an account has, and what it was told."""

    __slots__ = ("cash_e8", "name", "positions", "told")

    def __init__(self, name: str, cash_e8: int, positions: list[tuple[str, int, int]]) -> None:
        self.name = name
        self.cash_e8 = cash_e8
        self.positions = positions
        """Instrument, quantity e8, cost e8."""
        self.told = SAFE


class Loop:
    """Consumer, producer, accounts by instrument, the last mark of each instrument."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._marks_e8 = {one.instrument_id: one.first_price_e8 for one in listed()}
        self._holders: dict[str, list[Account]] = {name: [] for name in self._marks_e8}
        self._fill(given)
        client = {"bootstrap.servers": given["bootstrap"], "log_level": 0}
        self._producer = Producer(client | {"linger.ms": 0, "enable.idempotence": True})
        self._consumer = Consumer(
            client | {"group.id": "loop", "enable.auto.commit": False, "fetch.wait.max.ms": 10}
        )
        partitions = self._consumer.list_topics(PRICES, timeout=10).topics[PRICES].partitions
        self._consumer.assign([Place(PRICES, number, OFFSET_BEGINNING) for number in partitions])

    def run(self) -> None:
        """Until it is ended from outside."""
        while True:
            for message in self._consumer.consume(AT_ONCE, WAIT_S):
                if message.error():
                    raise KafkaException(message.error())
                self._tick(message)
                self._producer.poll(0)

    def _tick(self, message: Message) -> None:
        body = BytesIO(message.value()[HEADER_BYTES:])
        tick: Any = fastavro.schemaless_reader(body, MARK, None)
        marks, name = self._marks_e8, tick["instrument_id"]
        marks[name] = tick["mark_e8"]
        for account in self._holders[name]:
            equity_e8, notional_e8 = account.cash_e8, 0
            for instrument, quantity_e8, cost_e8 in account.positions:
                value_e8 = quantity_e8 * marks[instrument] // E8
                equity_e8 += value_e8 - cost_e8
                notional_e8 += abs(value_e8)
            health = equity_e8 * PPM
            if health < notional_e8 * CALL_PPM and account.told == SAFE:
                self._tell(account, CALLED, message)
            if health < notional_e8 * MAINTENANCE_PPM and account.told != LIQUIDATED:
                self._tell(account, LIQUIDATED, message)

    def _tell(self, account: Account, stage: int, message: Message) -> None:
        account.told = stage
        source = f"{message.topic()}-{message.partition()}-{message.offset()}"
        decision = {"account_id": account.name, "episode": 1, "action": ACTIONS[stage]}
        self._producer.produce(
            DECISIONS,
            json.dumps(decision),
            account.name,
            headers={"plimsoll-source": source.encode()},
        )

    def _fill(self, given: dict[str, Any]) -> None:
        people = crowd(given["seed"], given["accounts"], given["breaking"])
        names = [one.instrument_id for one in listed()]
        columns = (people.instrument, people.quantity_e8, people.cost_e8)
        rows = zip(people.cash_e8.tolist(), *(column.tolist() for column in columns), strict=True)
        for number, (cash_e8, instruments, *amounts) in enumerate(rows):
            held = [names[place] for place in instruments]
            positions = list(zip(held, *amounts, strict=True))
            account = Account(account_name(number), cash_e8, positions)
            for name in held:
                self._holders[name].append(account)


def main() -> None:
    loop = Loop(settings_of_this_process())
    gc.freeze()
    print("ready", flush=True)
    loop.run()


if __name__ == "__main__":
    main()
