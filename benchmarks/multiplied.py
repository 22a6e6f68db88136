"""The history of one short run many times over: more accounts beside its own, and later times."""

import math
import re
from dataclasses import dataclass

from benchmarks.contender import ContenderFailedError
from sinks.definitions import Definition, tables
from sinks.schema import RECORD_TABLE, create_tables
from sinks.store import Store

ACCOUNTS = 5_000
MINUTE_MS = 60_000
EPISODES = 1_000
"""Walks down the ladder that a bucket has in one run, at most."""
IN_FORCE = frozenset({"instruments", "assets", "accounts", "risk_params"})
"""What held before the run and holds after it: not repeated later."""
ACCOUNT_COLUMNS = frozenset({"account_id", "bidder", "fund", "candidates.account_id"})
ID = re.compile(
    r"(?:fill|collateral|liquidation|call|transfer|auction|bid|funding|request|source)_id"
)
OFFSETS = frozenset({"_offset", "first_offset", "last_offset"})
RUN_SQL = """
SELECT dateDiff('ms', min(event_time), max(event_time)) AS ms, count() AS states,
    uniqExactIf(account_id, NOT startsWith(account_id, '@')) AS accounts
FROM {run}.margin_state
"""
BLOCK_ROWS = 500_000


@dataclass(frozen=True, slots=True)
class Copies:
    """How often a run is repeated: for other accounts, and at later times, `span_ms` apart."""

    of_accounts: int
    of_times: int
    span_ms: int
    offsets: int


def multiply(store: Store, run: str, rows: int) -> Copies:
    """Fill the store's database with at least `rows` margin states, all else in proportion.

    `run` is the database of the run, on the same store. Ids and offsets are other ones in each
    copy, and legs of a transfer still sum to zero.
    """
    create_tables(store)
    of_run = store.query(RUN_SQL.format(run=run))[0]
    if not of_run["states"]:
        raise ContenderFailedError("the run has no margin states, so there is nothing to repeat")
    of_accounts = math.ceil(ACCOUNTS / of_run["accounts"])
    copies = Copies(
        of_accounts=of_accounts,
        of_times=math.ceil(rows / of_run["states"] / of_accounts),
        span_ms=math.ceil(of_run["ms"] / MINUTE_MS) * MINUTE_MS,
        offsets=1 + max(
            store.query(f"SELECT max(_offset) AS n FROM {run}.{one}")[0]["n"]
            for one in ("fills", "margin_state", "prices")
        ),
    )  # fmt: skip
    for table in tables():
        if table.name != RECORD_TABLE:
            store.create(_insert(table, run, copies))
            store.create(f"OPTIMIZE TABLE {table.name} FINAL")
    return copies


def _insert(table: Definition, run: str, copies: Copies) -> str:
    """The statement that fills a table; `a` is a copy's number among accounts, `t` among times."""
    of_accounts = copies.of_accounts if ACCOUNT_COLUMNS & table.columns.keys() else 1
    of_times = 1 if table.name in IN_FORCE else copies.of_times
    values = [_value(name, kind, copies) for name, kind in table.columns.items()]
    names = ", ".join(f"`{name}`" for name in table.columns)
    return (
        f"INSERT INTO {table.name} ({names}) SELECT {', '.join(values)} "
        f"FROM (SELECT number % {of_accounts} AS a, intDiv(number, {of_accounts}) AS t "
        f"FROM numbers({of_accounts * of_times})) AS copy CROSS JOIN {run}.{table.name} "
        f"SETTINGS min_insert_block_size_rows = {BLOCK_ROWS}, max_insert_threads = 1"
    )


def _value(name: str, kind: str, copies: Copies) -> str:
    column = f"`{name}`"
    if name in ACCOUNT_COLUMNS:
        if kind.startswith("Array"):
            return f"arrayMap(name -> if(a = 0, name, concat(name, '+', toString(a))), {column})"
        return f"if(a = 0, {column}, concat({column}, '+', toString(a)))"
    if ID.fullmatch(name):
        return f"if(a + t = 0, {column}, concat(toString(t), '+', toString(a), ':', {column}))"
    if name == "episode":
        return f"{column} + t * {EPISODES}"
    if name in OFFSETS:
        return f"{column} + (t * {copies.of_accounts} + a) * {copies.offsets}"
    moment = "DateTime64" in kind
    return f"{column} + toIntervalMillisecond(t * {copies.span_ms})" if moment else column
