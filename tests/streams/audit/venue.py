"""The small exchange of the waterfall's tests, with all that it hears and says written down."""

from collections import defaultdict
from typing import Any

from schemas.block import Block
from schemas.record_codec import decode, encode
from schemas.topics import BY_NAME, TOPICS
from streams.audit.auditor import Limits, Report, report
from streams.audit.findings import Findings
from streams.audit.reading import Entry
from streams.processors.cycle import ACCOUNT_TOPICS
from streams.processors.outputs import Output
from streams.processors.waterfall import FundRules
from streams.run.soak.verdict import Engine, accounts_of
from streams.state.ledger import partition_of
from tests.simulation.driver import WRITTEN_MS
from tests.streams.audit.recorded import Place, Topics
from tests.streams.processors.venue import NO_AUCTIONS, Venue

Record = dict[str, Any]


class RecordedVenue(Venue):
    """What the cycle writes and hears is in `log`, as topics would have it."""

    def __init__(self, rules: FundRules = NO_AUCTIONS, partitions: int = 4) -> None:
        self.log: Topics = {
            (topic.name, number): []
            for topic in TOPICS
            for number in range(1 if topic.sharing == "broadcast" else partitions)
        }
        self._headers: dict[str, list[dict[str, bytes]]] = defaultdict(list)
        self.freeze_at: str | None = None
        """Topic of which the engine reads no record: `report` has its accounts of before that."""
        self._frozen: Engine | None = None
        self._limits = Limits(gather_ms=rules.gather_ms, window_cap_e8=rules.window_cap_e8)
        super().__init__(rules, partitions)
        take = self.cycle.take_outputs
        self.cycle.take_outputs = lambda: self._written(take())  # type: ignore[method-assign]

    def raw(
        self, topic: str, run: list[tuple[bytes | None, bytes | None]], partition: int = 0
    ) -> Block:
        for key, value in run:
            self._write((topic, partition), key, value, self._headers_of(topic, value))
        if topic == self.freeze_at and self._frozen is None:
            self._frozen = self._engine()
        return super().raw(topic, run, partition)

    def report(self, **options: Any) -> Report:
        options = {"limits": self._limits, "every_us": 1_000_000, **options}
        return report(self.log, *(self._frozen or self._engine()), **options)

    def _engine(self) -> Engine:
        """Its accounts, and what it noted of what fell between which fills."""
        orders = {n: self.cycle.ledger.take_order(n) for n in range(self.partitions)}
        return accounts_of(self.cycle), orders

    def audit(self) -> Findings:
        return self.report().findings

    def rewrite(self, topic: str, number: int, **fields: Any) -> Record:
        """Change fields of the record of a topic that comes at this number; returns it."""
        found = [
            (place, at, entry)
            for place, entries in sorted(self.log.items())
            if place[0] == topic
            for at, entry in enumerate(entries)
        ]
        place, at, entry = found[number]
        record = {**decode(entry.value)[1], **fields}
        self.log[place][at] = entry._replace(value=encode(BY_NAME[topic].record, record))
        return record

    def records(self, topic: str) -> list[Record]:
        """In the order in which `rewrite` counts them."""
        return [
            decode(entry.value)[1]
            for place, entries in sorted(self.log.items())
            if place[0] == topic
            for entry in entries
        ]

    def _written(self, outputs: list[Output]) -> list[Output]:
        for one in outputs:
            headers = {"plimsoll-id": one.output_id.encode()}
            if one.topic != "dead-letters":
                headers["plimsoll-applied"] = ",".join(
                    f"{name}={self.cycle.read_from(name, one.partition) or 0}"
                    for name in ACCOUNT_TOPICS
                ).encode()
            if one.topic in ("transfers", "deleveraging"):
                self._headers[one.output_id].append(headers)
                continue
            key = one.key.encode() if isinstance(one.key, str) else one.key or b""
            number = partition_of(key.decode(), self.partitions)
            value = encode(BY_NAME[one.topic].record, one.values)
            self._write((one.topic, number), key, value, headers)
        return outputs

    def _headers_of(self, topic: str, value: bytes | None) -> dict[str, bytes]:
        """Those of what the cycle has written itself."""
        if topic not in ("transfers", "deleveraging"):
            return {}
        record = decode(value)[1]
        if topic == "transfers":
            identity = f"{record['transfer_id']}#{record['leg']}"
        else:
            asked = record["event"] == "ASKED"
            identity = f"{record['request_id']}/{'ASKED' if asked else record['partition']}"
        return self._headers[identity].pop(0)

    def _write(
        self, place: Place, key: bytes | None, value: bytes | None, headers: dict[str, bytes]
    ) -> None:
        entries = self.log[place]
        entries.append(Entry(len(entries), key, value, WRITTEN_MS, headers))
