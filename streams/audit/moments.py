"""What an account held when something was decided, and the last prices before it."""

from collections.abc import Mapping, Sequence

from streams.audit.account import AccountState, Book
from streams.audit.history import Step
from streams.audit.rulebook import Rulebook

LAST_TICKS = 4
"""A price that no record tells was one of the last few before the decision."""
Holdings = tuple[Mapping[str, int], Mapping[str, tuple[int, int]]]
"""Of a bucket: balances by asset, and (quantity, cost) by instrument."""


def state_before(
    history: Sequence[Step],
    rules: Rulebook,
    place: tuple[str, int],
    ends: Mapping[str, int],
    due_us: int,
) -> AccountState:
    """An account (`place`: it and its partition) as of the offsets applied, topic by topic.

    Payments due by `due_us` are made at the latest.
    """
    account, number = place
    book = Book(rules, number)
    for step in history:
        if step.topic == "funding":
            taken = _paid(step, ends, due_us)
        else:
            taken = step.offset < ends.get(step.topic, 0)
        if taken:
            book.book(step.topic, step.record)
    return book.accounts().get(account, AccountState())


def _paid(step: Step, ends: Mapping[str, int], due_us: int) -> bool:
    """Whether a payment was made before what was applied was applied as far as `ends`.

    Where nothing was applied in between, only whether it was due can tell.
    """
    behind: Mapping[str, float] = step.record.get("behind") or {"fills": step.before}
    passed = [ends.get(topic, 0) - end for topic, end in behind.items()]
    if any(passed):
        return min(passed) >= 0
    return bool(step.record["event_time"] <= due_us)


def bucket_of(state: AccountState, bucket: str) -> Holdings:
    """What a bucket holds."""
    return (
        {asset: e8 for (pool, asset), e8 in state.balances.items() if pool == bucket},
        {
            name: held
            for (pool, name), held in state.positions.items()
            if pool == bucket and held[0]
        },
    )


def last_marks(rules: Rulebook, name: str, until_us: int, within_us: int) -> list[int]:
    """The last few marks of an instrument before a moment, the newest first."""
    ticks = rules.ticks(name, until_us - within_us, until_us)
    return [tick.mark_e8 for tick in ticks[: -LAST_TICKS - 1 : -1]]
