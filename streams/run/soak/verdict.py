"""The verdict of a soak: what the changelog holds, against an audit of the topics."""

from streams.audit.account import AccountState
from streams.audit.auditor import audit
from streams.audit.findings import Findings
from streams.audit.partition import Orders
from streams.audit.reading import read_log
from streams.processors.cycle import Cycle
from streams.run.topics import changelog_topic
from streams.run.worker import BROADCAST
from streams.state.account_book import CROSS
from streams.state.partition_log import Image, orders
from streams.transport.broadcast import BroadcastReader
from streams.transport.changelog_reader import ChangelogReader

SHOWN = 5


Engine = tuple[dict[str, AccountState], Orders]


def engine_state(bootstrap: str, app: str, partitions: int) -> Engine:
    """What the changelog says of every account, and of what fell between which inputs.

    ChangelogError where it is not whole.
    """
    cycle = Cycle(partitions, app=app)
    broadcast = BroadcastReader(bootstrap, BROADCAST)
    for block in sorted(broadcast.read_to_end(), key=lambda b: BROADCAST.index(b.topic)):
        if block.topic != "prices":
            cycle.take_broadcast(block)
    broadcast.close()
    images = {number: Image() for number in range(partitions)}
    reader = ChangelogReader(bootstrap, changelog_topic(app))
    reader.follow(set(images))
    for found in reader.read_to_end():
        for number, pairs in found:
            images[number].take(pairs)
    reader.close()
    for number, image in images.items():
        cycle.take_partition(number, image.records)
    return accounts_of(cycle), {number: orders(image.records) for number, image in images.items()}


def accounts_of(cycle: Cycle) -> dict[str, AccountState]:
    """The accounts of a cycle's book; `offsets` are those of their partition."""
    book, rules = cycle.ledger.book, cycle.ledger.rules
    states = {
        book.accounts.name(row): AccountState(
            offsets=cycle.ends(int(book.accounts["partition"][row]))
        )
        for row in book.accounts.live_rows().tolist()
    }

    def place(bucket: int) -> tuple[AccountState, str]:
        pool = int(book.buckets["instrument"][bucket])
        name = "cross" if pool == CROSS else rules.instruments[pool]
        return states[book.account_of_bucket(bucket)], name

    for row in book.balances.live_rows().tolist():
        state, bucket = place(int(book.balances["bucket"][row]))
        asset = rules.assets[int(book.balances["asset"][row])]
        state.balances[bucket, asset] = int(book.balances["amount_e8"][row])
    for row in book.positions.live_rows().tolist():
        state, bucket = place(int(book.positions["bucket"][row]))
        name = rules.instruments[int(book.positions["instrument"][row])]
        state.positions[bucket, name] = (
            int(book.positions["quantity_e8"][row]),
            int(book.positions["cost_e8"][row]),
        )
    return states


def verdict(bootstrap: str, app: str, partitions: int) -> Findings:
    """Read everything and compare."""
    return audit(read_log(bootstrap), *engine_state(bootstrap, app, partitions))


def sentences(findings: Findings) -> list[str]:
    """The first few of each kind."""
    found = []
    for kind, said in findings.sentences().items():
        found += [f"{kind}: {one}" for one in said[:SHOWN]]
        if len(said) > SHOWN:
            found.append(f"{kind}: {len(said) - SHOWN} more")
    return found
