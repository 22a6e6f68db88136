"""Compares accounts with the engine's, and looks for the one record that explains a difference."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from schemas.units import text
from streams.audit.account import AccountState, Book
from streams.audit.findings import Findings
from streams.audit.history import Partition, Step
from streams.audit.reading import Log
from streams.audit.rulebook import Rulebook

MOST_BOOKINGS = 500_000
"""In all trials of a partition: an explanation is worth seconds, not hours."""
NOTHING = AccountState()
LATE_US = 5_000_000
"""Two topics are read so far apart at the most."""
Quantities = dict[tuple[str, str], int]


def compare(
    parts: Iterable[Partition],
    engine: Mapping[str, AccountState],
    log: Log,
    rules: Rulebook,
    findings: Findings,
) -> dict[str, list[Step]]:
    """Say of every account that differs how, and by which record where a single one explains it.

    Between topics the broker has no order. So an account also is right where another place of its
    legs or of a payment among its own fills explains it; the slices then follow that place. Returns
    such histories by account.
    """
    told = {name: state.trimmed() for name, state in engine.items()}
    strangers = set(told)
    orders: dict[str, list[Step]] = {}
    for part in parts:
        suspects = _suspects(part, told)
        slices = {name for name in suspects if part.has_slice(name)}
        histories = part.histories(log, sorted(suspects.keys() - slices))
        moved: dict[str, AccountState] = {}
        share = MOST_BOOKINGS // max(len(histories), 5)
        for name, steps in histories.items():
            state = told.get(name, NOTHING)
            trial = _Trial(rules, (name, part.number), steps, state, most=share)
            order = trial.other_order(moved)
            if order is None:
                findings.wrong.append(_difference(name, state, suspects[name]))
                trial.explain(findings)
            else:
                orders[name] = order
        ours = part.book.accounts()
        for name in sorted(slices | moved.keys()):
            expected = _sum(ours.get(name, NOTHING), moved.get(name, NOTHING)).trimmed()
            if expected != told.get(name, NOTHING):
                findings.wrong.append(_difference(name, told.get(name, NOTHING), expected))
        strangers -= ours.keys()
    findings.wrong.extend(
        _difference(name, told[name], NOTHING)
        for name in sorted(strangers)
        if told[name] != NOTHING
    )
    return orders


def _suspects(part: Partition, told: Mapping[str, AccountState]) -> dict[str, AccountState]:
    """The accounts of a partition that differ, as the inputs have them."""
    ours = part.book.accounts()
    return {name: state for name, state in ours.items() if state != told.get(name, NOTHING)}


class _Trial:
    """Books one account's history again and again, each time changed at one place."""

    def __init__(
        self,
        rules: Rulebook,
        place: tuple[str, int],
        steps: list[Step],
        told: AccountState,
        *,
        most: int,
    ) -> None:
        """`place`: the account and its partition; `most`: bookings tried, each way."""
        self._told = told
        self._rules = rules
        self._name, self._number = place
        self._steps = steps
        self._most = self._tries = most // max(len(steps), 1)

    def other_order(self, moved: dict[str, AccountState]) -> list[Step] | None:
        """The history with another place of one transfer or payment, where that explains it.

        What this moves on the partition's slices is added to `moved`.
        """
        for order in self._orders():
            if self._tries <= 0:
                return None
            after = self._booked(order)
            if after.get(self._name, NOTHING) == self._told:
                before = self._booked(self._steps)
                for name in (after.keys() | before.keys()) - {self._name}:
                    change = _sum(after.get(name, NOTHING), before.get(name, NOTHING), -1)
                    moved[name] = _sum(moved.get(name, NOTHING), change)
                return order
        return None

    def explain(self, findings: Findings) -> None:
        """Name the record that was lost, or applied twice, where one alone explains it."""
        missing = self._missing()
        self._tries = self._most
        for sign, kind in ((-1, findings.lost), (1, findings.twice)):
            wanted = {place: sign * e8 for place, e8 in missing.items()}
            for at, step in enumerate(self._steps):
                if step.quantities(self._rules) != wanted or self._tries <= 0:
                    continue
                copies = [] if sign < 0 else [step, step]
                changed = [*self._steps[:at], *copies, *self._steps[at + 1 :]]
                if self._booked(changed).get(self._name, NOTHING) == self._told:
                    kind.append(f"{self._name}: {step.label(self._number)}")
                    return

    def _booked(self, steps: Sequence[Step]) -> dict[str, AccountState]:
        self._tries -= 1
        book = Book(self._rules, self._number)
        for step in steps:
            book.book(step.topic, step.record)
        return book.accounts()

    def _missing(self) -> Quantities:
        """What the engine has more of each position than the inputs."""
        missing: Quantities = defaultdict(int)
        for place, (quantity_e8, _) in self._told.positions.items():
            missing[place] += quantity_e8
        ours = self._booked(self._steps).get(self._name, NOTHING)
        for place, (quantity_e8, _) in ours.positions.items():
            missing[place] -= quantity_e8
        return {place: e8 for place, e8 in missing.items() if e8}

    def _orders(self) -> Iterator[list[Step]]:
        """The history with one payment, or all legs of one transfer, at other places.

        Between there and its own place lie only fills of about the same time.
        """
        groups: dict[str, list[Step]] = defaultdict(list)
        for step in self._steps:
            if step.topic in ("funding", "transfers"):
                groups[step.record.get("funding_id") or step.record["transfer_id"]].append(step)
        for group in groups.values():
            chosen = set(map(id, group))
            rest = [step for step in self._steps if id(step) not in chosen]
            first = next(at for at, step in enumerate(self._steps) if id(step) in chosen)
            time_us = group[0].record["event_time"]
            for steps in (range(first - 1, -1, -1), range(first, len(rest))):
                for at in steps:
                    if abs(rest[at].record["event_time"] - time_us) > LATE_US:
                        break
                    place = at if at < first else at + 1
                    yield [*rest[:place], *group, *rest[place:]]


def _sum(left: AccountState, right: AccountState, sign: int = 1) -> AccountState:
    balances, positions = dict(left.balances), dict(left.positions)
    for place, e8 in right.balances.items():
        balances[place] = balances.get(place, 0) + sign * e8
    for place, (quantity_e8, cost_e8) in right.positions.items():
        present = positions.get(place, (0, 0))
        positions[place] = (present[0] + sign * quantity_e8, present[1] + sign * cost_e8)
    return AccountState(balances, positions)


def _difference(name: str, told: AccountState, ours: AccountState) -> str:
    """The first difference of an account in words, and how many there are."""
    found = [
        f"{bucket} {asset} is {text(told.balances.get((bucket, asset), 0))} in the engine and "
        f"{text(ours.balances.get((bucket, asset), 0))} by the inputs"
        for bucket, asset in sorted(told.balances.keys() | ours.balances.keys())
        if told.balances.get((bucket, asset), 0) != ours.balances.get((bucket, asset), 0)
    ]
    for bucket, held in sorted(told.positions.keys() | ours.positions.keys()):
        pair = [state.positions.get((bucket, held), (0, 0)) for state in (told, ours)]
        if pair[0] != pair[1]:
            words = [f"{text(quantity)} at a cost of {text(cost)}" for quantity, cost in pair]
            found.append(
                f"{bucket} {held} is {words[0]} in the engine and {words[1]} by the inputs"
            )
    more = f" ({len(found) - 1} more)" if len(found) > 1 else ""
    return f"{name}: {found[0]}{more}"
