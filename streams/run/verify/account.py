"""One account as it was at a time: what it held, at the marks and by the rules of then."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from sinks.reading import Row, rows, tells_applied
from sinks.store import Store
from streams.audit.outputs import offsets_of
from streams.base.settings import Settings
from streams.run.parts import limits
from streams.run.verify.finding import find
from streams.run.verify.folding import Account, Applied
from streams.run.verify.holdings import Holdings, Input
from streams.run.verify.inputs import read_accounts, read_common, read_orders
from streams.run.verify.mirror import RULES, Held, Mirror
from streams.run.verify.partition import holdings_of
from streams.run.verify.ticks import BACK_US, Ticks

HOME_SQL = " UNION ALL ".join(
    f"(SELECT _partition AS home FROM {table} WHERE account_id = {{account:String}} LIMIT 1)"
    for table in ("margin_state", "collateral", "fills", "transfers", "orders")
)
SPAN_SQL = """SELECT toUnixTimestamp64Micro(min(event_time)) AS first,
    toUnixTimestamp64Micro(max(event_time)) AS last, count() AS rows FROM prices"""
UNTIL = "event_time <= fromUnixTimestamp64Micro({until:Int64}, 'UTC')"
SINCE = "event_time >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')"


class NotInHistoryError(LookupError):
    """The account or the time is not in the history; the message says what is."""


class AccountAt(NamedTuple):
    """An account at a time."""

    time_us: int
    state: dict[str, Any]
    """As a margin state has it."""
    last_state: Row | None
    """The last margin state until then."""
    since: list[Input]
    """What moved the account after that and until then."""
    follows: bool
    """Whether what `last_state` holds follows from what moved the account before."""
    ticks: dict[str, tuple[int, int]]
    """Instrument -> partition and offset of the tick that its mark is from."""


def account_at(store: Store, name: str, time_us: int, settings: Settings) -> AccountAt:
    """The account by all that the history has until a time, that moment included.

    NotInHistoryError for an account that no record names, and for a time outside of the prices.
    """
    home = store.query(HOME_SQL, {"account": name})
    if not home:
        raise NotInHistoryError(f"no record of the history names the account {name!r}")
    _require_inside(store, time_us)
    partition = int(home[0]["home"])
    common = read_common(store, settings.penalty_ppm)
    found = read_accounts(store, partition, common, time_us, name)
    account = found.get(name) or Account(name, [[], [], [], common.payments], common.rulebook)
    last, follows = None, True
    for last in _states(store, name, time_us):
        follows = _go_to(account, last)
    start = account.node if follows else account.doubt
    assert start is not None, "an account that is mistrusted has a doubt"
    node = account.up_to_time(start, time_us)
    mirror = Mirror(
        settings, _rules(store), Ticks(_prices(store, time_us), limits(settings)), partition
    )
    mirror.advance(time_us)
    cuts = mirror.ticks.latest(time_us)
    mirror.marks(cuts, time_us)
    buckets = last.record["buckets"] if last else []
    orders = read_orders(store, partition, common, time_us, name)
    opened = orders.open(name, orders.latest(time_us), node.book.settled)
    mirror.put([Held(name, account.holdings_of(node), buckets, opened)])
    state = mirror.states([name])[name]
    state["quarantined"] = bool(last and last.record["quarantined"])
    names = {one["instrument_id"] for one in state["positions"]}
    ticks = {one: mirror.ticks.mark(one, cuts) for one in names}
    return AccountAt(
        time_us, state, last, account.between(start, node), follows,
        {one: tick[1:] for one, tick in ticks.items() if tick},
    )  # fmt: skip


def _require_inside(store: Store, time_us: int) -> None:
    from streams.audit.minutes import clock

    span = store.query(SPAN_SQL)[0]
    if not int(span["rows"]):
        raise NotInHistoryError("the history is empty: it has no prices")
    first, last = int(span["first"]), int(span["last"])
    if not first <= time_us <= last:
        raise NotInHistoryError(
            f"{clock(time_us)} is outside of the history, which goes from {clock(first)} to "
            f"{clock(last)} UTC"
        )


def _states(store: Store, name: str, time_us: int) -> Iterator[Row]:
    """The margin states of an account until a time: each tells more of how far it was booked."""
    where = f"account_id = {{account:String}} AND {UNTIL}"
    parameters = {"account": name, "until": time_us}
    return rows(
        store, "margin-state", where=where, order="event_time, at_offset", parameters=parameters,
        applied=tells_applied(store),
    )  # fmt: skip


def _go_to(account: Account, last: Row) -> bool:
    """Book what a margin state shows booked; whether that can be."""
    stored, time_us = holdings_of(last.record), last.record["event_time"]

    def fits(held: Holdings) -> bool:
        """A margin state leaves out positions that have no mark."""
        return (
            held.balances == stored.balances and stored.positions.items() <= held.positions.items()
        )

    applied = Applied.exactly(offsets_of(last.applied)) if last.applied else Applied({}, {})
    node = find(account, fits, stored, applied, time_us)
    if node is None:
        account.mistrust(stored, applied, time_us)
        return False
    account.node, account.doubt = node, None
    return True


def _rules(store: Store) -> Iterator[tuple[str, Row]]:
    return ((topic, row) for topic in RULES for row in rows(store, topic))


def _prices(store: Store, time_us: int) -> Iterator[Row]:
    """The last tick of each instrument before the last hour, and all of that hour."""
    span = {"until": time_us, "since": time_us - BACK_US}
    yield from sorted(
        rows(store, "prices", parameters=span,
             where="(_partition, _offset) IN (SELECT _partition, argMax(_offset, _offset) "
             "FROM prices WHERE event_time < fromUnixTimestamp64Micro({since:Int64}, 'UTC') "
             "GROUP BY _partition, instrument_id)"),
        key=lambda row: row[:2],
    )  # fmt: skip
    yield from rows(store, "prices", where=f"{SINCE} AND {UNTIL}", parameters=span)
