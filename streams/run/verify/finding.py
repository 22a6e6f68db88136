"""Which inputs of an account were booked when one of its records was made, and in which order.

How far the topics were applied is told, or looked for; the order of fills and legs among each
other is never told.
"""

from collections import Counter
from collections.abc import Callable

from streams.audit.account import Book
from streams.run.verify.folding import FEW, FUNDING, Account, Applied, Ends, Node
from streams.run.verify.holdings import Holdings, Input, book_of
from streams.run.verify.sums import Sums, counts_for, sums_of

Fits = Callable[[Holdings], bool]


def find(
    account: Account, fits: Fits, stored: Holdings, applied: Applied, until_us: int
) -> Node | None:
    """What was booked where that gives holdings that fit; None where nothing does.

    Where there is much to be booked it is the sums that tell how much of it was.
    """
    least, most, told = applied
    surely = account.surely(account.node, least)
    paid = account.paid(surely, until_us)
    if fits(account.holdings_of(paid)):
        return paid
    much = told or account.open(surely, most) > FEW
    if much and (node := _by_sums(account, surely, stored, most, until_us)):
        return node
    for node in account.nodes(applied, until_us):
        if fits(account.holdings_of(node)):
            return node
    if told:
        return None
    found = None if much else _by_sums(account, surely, stored, most, until_us)
    return found or _by_sums(account, account.node, stored, {}, until_us)


def _by_sums(
    account: Account, start: Node, stored: Holdings, most: Ends, until_us: int
) -> Node | None:
    """What was booked where the sums of the inputs come to these holdings.

    Of fills and legs that fell among each other the history does not tell the order. So where a
    position had both, how much of its cost became a balance is taken from what is stored.
    """
    name, rules = account.name, account.rules
    target = Counter(sums_of(*stored, rules))
    target.subtract(sums_of(*account.holdings_of(start), rules))
    unpaid = Node(start.counts, book_of(name, stored, start.book, rules))
    paid = account.paid(unpaid, until_us)
    for node, sign in ((unpaid, 1), (paid, -1)):  # as if all of them came last
        for key, e8 in sums_of(*account.holdings_of(node), rules).items():
            target[key] += sign * e8
    streams = account.following(start, most)
    moves = [[_moves(account, one) for one in stream] for stream in streams]
    for counts in counts_for(target, moves):
        ended = (*(a + b for a, b in zip(start.counts, counts, strict=False)),)
        done = (*ended, paid.counts[FUNDING])
        node = account.up_to(account.node, done)
        if account.holdings_of(node) == stored or _had_both(account, done):
            return Node(done, book_of(name, stored, node.book, rules))
    return None


def _had_both(account: Account, counts: tuple[int, ...]) -> bool:
    """Whether of some instrument both fills and legs were booked since the last record."""
    spans = [*zip(account.node.counts, counts, account.streams, strict=True)]
    legs, fills = (
        {one.record["instrument_id"] for one in stream[first:end]}
        for first, end, stream in spans[1:3]
    )
    return bool(legs & fills)


def _moves(account: Account, one: Input) -> Sums:
    """What a record moves, by itself."""
    book = Book(account.rules, 0)
    record = {**one.record, "penalty_e8": one.penalty_e8} if one.penalty_e8 else one.record
    book.book(one.topic, record)
    return sums_of(*account.holdings_of(Node((), book)), account.rules)
