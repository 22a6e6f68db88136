"""Sums over all accounts as event time goes by: conserved at every minute, not at the end alone."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from schemas.units import text
from streams.audit.account import Book, value_e8
from streams.audit.findings import Findings
from streams.audit.history import Partition, Step
from streams.audit.reading import Log
from streams.audit.rulebook import Record, Rulebook


class Sums(NamedTuple):
    """All accounts of all partitions at one moment; legs count from when they were written."""

    balances_e8: Mapping[str, int]
    """By asset."""
    external_e8: Mapping[str, int]
    """By asset: deposits less withdrawals, and what trades of pairs with one side moved."""
    held_e8: Mapping[str, tuple[int, int]]
    """By instrument: quantity and cost."""
    one_sided_e8: Mapping[str, tuple[int, int]]
    """By instrument: what fills add up to; nothing where both sides of every trade are in."""


def check_minutes(
    parts: Iterable[Partition], log: Log, rules: Rulebook, findings: Findings, every_us: int
) -> Sums:
    """Book everything once more, in the order of event time, and add all up every `every_us`.

    Each asset and each instrument that is not conserved is a finding at the first such moment.
    Returns the sums at the end.
    """
    clerk = _Clerk(rules)
    for part in parts:
        clerk.take(part, log)
    said: set[str] = set()
    moment = None
    for time_us, number, step in clerk.in_time():
        if moment is not None and time_us // every_us != moment:
            findings.moments += 1
            _say(clerk.sums(), (moment + 1) * every_us, said, findings)
        moment = time_us // every_us
        clerk.book(number, step)
    end = clerk.sums()
    if moment is not None:
        findings.moments += 1
        _say(end, (moment + 1) * every_us, said, findings)
    return end


class _Clerk:
    """Keeps the books of all partitions, and what came from outside."""

    def __init__(self, rules: Rulebook) -> None:
        self._rules = rules
        self._books: dict[int, Book] = {}
        self._steps: list[tuple[int, int, int, Step]] = []
        self._external_e8: Counter[str] = Counter()
        self._traded_e8: dict[str, list[int]] = defaultdict(lambda: [0, 0])

    def take(self, part: Partition, log: Log) -> None:
        self._books[part.number] = Book(self._rules, part.number)
        for step in part.applied(log):
            place = (step.record["event_time"], part.number, len(self._steps))
            self._steps.append((*place, step))

    def in_time(self) -> Iterable[tuple[int, int, Step]]:
        self._steps.sort(key=lambda one: one[:3])
        return ((time_us, number, step) for time_us, number, _, step in self._steps)

    def book(self, number: int, step: Step) -> None:
        record = step.record
        self._books[number].book(step.topic, record)
        if step.topic == "collateral" and record["kind"] != "TRANSFER":
            self._external_e8[record["asset"]] += record["amount_e8"]
        elif step.topic == "fills":
            self._trade(record)

    def _trade(self, record: Record) -> None:
        contract = self._rules.contracts[record["instrument_id"]]
        if not contract.spot:
            sign = 1 if record["side"] == "BUY" else -1
            quantity_e8 = sign * record["quantity_e8"]
            traded = self._traded_e8[record["instrument_id"]]
            traded[0] += quantity_e8
            traded[1] += value_e8(contract, quantity_e8, record["price_e8"])

    def sums(self) -> Sums:
        balances: Counter[str] = Counter()
        held: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        external = Counter(self._external_e8)
        for book in self._books.values():
            external.update(book.paired_e8)
            for (_, _, asset), e8 in book.balances.items():
                balances[asset] += e8
            for name, holders in book.positions.items():
                held[name][0] += sum(one[0] for one in holders.values())
                held[name][1] += sum(one[1] for one in holders.values())
        return Sums(balances, external, _pairs(held), _pairs(self._traded_e8))


def _pairs(sums: Mapping[str, list[int]]) -> dict[str, tuple[int, int]]:
    return {name: (quantity, cost) for name, (quantity, cost) in sums.items()}


def _say(sums: Sums, time_us: int, said: set[str], findings: Findings) -> None:
    when = clock(time_us)
    for asset in sorted((sums.balances_e8.keys() | sums.external_e8.keys()) - said):
        has, came = sums.balances_e8.get(asset, 0), sums.external_e8.get(asset, 0)
        if has != came:
            said.add(asset)
            findings.unbalanced.append(
                f"{asset} at {when}: all balances are {text(has)}, "
                f"deposits less withdrawals {text(came)}"
            )
    for name in sorted((sums.held_e8.keys() | sums.one_sided_e8.keys()) - said):
        has_both = sums.held_e8.get(name, (0, 0)), sums.one_sided_e8.get(name, (0, 0))
        if has_both[0] != has_both[1]:
            said.add(name)
            words = [f"{text(quantity)} at a cost of {text(cost)}" for quantity, cost in has_both]
            findings.unbalanced.append(
                f"{name} at {when}: all positions are {words[0]}, by the fills {words[1]}"
            )


def clock(time_us: int) -> str:
    """A moment of event time for sentences, UTC."""
    moment = datetime.fromtimestamp(time_us / 1_000_000, UTC)
    return moment.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
