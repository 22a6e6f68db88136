"""The crowd of `benchmarks.crowd` in the changelog of a worker that has not begun yet."""

import numpy as np

from benchmarks import fills
from benchmarks.crowd import HELD, Crowd, listed, opening
from benchmarks.full_book import written
from benchmarks.loader import Loader
from benchmarks.workload import USDT, account_name
from schemas.block import Int64s
from streams.processors.cycle import Cycle
from streams.state.account_book import CROSS
from streams.state.ledger import partition_of

APP = "crowd"


def write(bootstrap: str, people: Crowd, partitions: int, *, digest: bool = False) -> str:
    """List the instruments and write the changelog; the digest of the book, where asked for."""

    def fill(cycle: Cycle, numbers: range) -> None:
        names = [account_name(number) for number in numbers]
        home = np.array([partition_of(name, partitions) for name in names])
        for partition in range(partitions):
            hold(cycle, people, np.flatnonzero(home == partition) + numbers.start, partition)

    def tell(cycle: Cycle) -> str:
        rules = cycle.ledger.rules
        return cycle.ledger.book.digest(rules.assets, rules.instruments) if digest else ""

    return written(
        bootstrap, APP, len(people.cash_e8), opening(), fill=fill, tell=tell, partitions=partitions
    )


def open_market(bootstrap: str, *topics: str) -> None:
    """List the instruments, and make topics of one partition."""
    loader = Loader(bootstrap)
    loader.send(opening())
    loader.flush()
    fills.create(bootstrap, 1, list(topics), {})


def hold(cycle: Cycle, people: Crowd, numbers: Int64s, partition: int) -> None:
    """Put the accounts of these numbers into the book."""
    if not len(numbers):
        return
    book, rules = cycle.ledger.book, cycle.ledger.rules
    accounts = book.account_rows([account_name(one) for one in numbers.tolist()], partition)
    buckets = book.bucket_rows(accounts, np.full(len(accounts), CROSS, np.int64))
    number_of = np.array([rules.number[one.instrument_id] for one in listed()])
    for nth in range(HELD):
        rows = book.position_rows(buckets, number_of[people.instrument[numbers, nth]])
        book.positions["quantity_e8"][rows] = people.quantity_e8[numbers, nth]
        book.positions["cost_e8"][rows] = people.cost_e8[numbers, nth]
    rows = book.balance_rows(buckets, np.full(len(accounts), rules.asset_number[USDT], np.int64))
    book.balances["amount_e8"][rows] = people.cash_e8[numbers]
