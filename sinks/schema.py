"""Brings the tables and views of a history to the state that this release writes, or refuses.

A history that has none of the tables gets all of them. Any other is changed only by the numbered
files of `migrations`, in order, each recorded in `schema_migrations`. Then the live tables are
compared with the files of `tables`: what differs is told, and nothing is written.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from schemas.topics import TOPICS
from sinks.access import grant_analysts
from sinks.definitions import Definition, Migration, migrations, tables, views
from sinks.native import NativeColumn, strings
from sinks.retention import CHANGES_TABLE, MOST_DAYS, keep
from sinks.store import Store, StoreError

log = logging.getLogger(__name__)

RECORD_TABLE = "schema_migrations"
MEMORY_TABLE = "ingest_blocks"
LIVE_TABLES_SQL = """
SELECT name, sorting_key, engine_full FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree'
"""
LIVE_COLUMNS_SQL = """
SELECT table, name, type, default_kind FROM system.columns WHERE database = currentDatabase()
ORDER BY table, position
"""
LIVE_PROJECTIONS_SQL = """
SELECT table, name, query FROM system.projections WHERE database = currentDatabase()
"""
APPLIED_SQL = "SELECT DISTINCT number, name, crc FROM schema_migrations ORDER BY number"
FOREVER = frozenset({"instruments", "assets", "accounts", "risk_params", MEMORY_TABLE,
                     "sink_refused", RECORD_TABLE, CHANGES_TABLE})  # fmt: skip
"""Rules in force may be older than any row they explain; the rest is the sink's own memory."""


class SchemaDiffersError(StoreError):
    """The live tables are not what this release writes, and no migration leads there."""


@dataclass(frozen=True, slots=True)
class LiveTable:
    """A table as the store has it.

    Columns are name -> (type, kind of default), projections name -> query.
    """

    columns: dict[str, tuple[str, str]]
    sorting_key: str
    engine: str
    projections: dict[str, str]


def create_tables(store: Store, keep_days: Mapping[str, int] | None = None) -> None:
    """Create, migrate and check all tables and views; harmless when it is all done.

    `keep_days` is table -> days after which its rows may go, by their event time; 0, and a table
    that is not in it: never. None leaves that as it is. Raises SchemaDiffersError with every
    difference, and ValueError for a table that must be kept, or that is none.
    """
    # The memory of what was stored comes first: without it, tables are not created but missed.
    wanted = {one.name: one for one in sorted(tables(), key=lambda one: one.name != MEMORY_TABLE)}
    _check_keeping(keep_days or {}, wanted)
    live = _live_tables(store)
    fresh = not any(name in live for name in wanted)
    if not fresh:
        _refuse_lost(store, wanted, live)
    for definition in wanted.values():
        store.create(definition.statement)
    _migrate(store, migrations(), fresh=fresh)
    live = _live_tables(store)
    wrong = [line for one in wanted.values() for line in differences(one, live[one.name])]
    if wrong:
        raise SchemaDiffersError(
            "the tables of this history are not those that this release writes, so it writes "
            "none: " + "; ".join(wrong)
        )
    if keep_days is not None:
        for name in wanted.keys() - FOREVER:
            keep(store, name, live[name].engine, keep_days.get(name, 0))
    for view in views():
        store.create(view.statement)
    grant_analysts(store)


def differences(definition: Definition, live: LiveTable) -> list[str]:
    """What of a live table is not as its file says, a sentence each.

    A column that is not in the file is let be where the store fills it by itself.
    """
    name, found = definition.name, []
    for column, kind in definition.columns.items():
        if column not in live.columns:
            found.append(f"{name} has no column {column}")
        elif live.columns[column][0] != kind:
            found.append(f"{name}.{column} is {live.columns[column][0]}, and must be {kind}")
    for column, (kind, default) in live.columns.items():
        if column not in definition.columns and not default:
            found.append(f"{name}.{column} ({kind}) is unknown and has no default")
    if live.sorting_key != definition.sorting_key:
        found.append(
            f"{name} is ordered by {live.sorting_key}, and must be by {definition.sorting_key}"
        )
    for projection, query in definition.projections.items():
        if projection not in live.projections:
            found.append(f"{name} has no projection {projection}")
        elif live.projections[projection] != query:
            found.append(
                f"{name}.{projection} is another projection: {live.projections[projection]}"
            )
    if not re.search(r"deduplication_window = [1-9]", live.engine):
        found.append(f"{name} does not remember the tokens of its inserts")
    return found


def keep_days_of(text: str) -> dict[str, int]:
    """`margin_state=90,prices=400` as a dict; ValueError where it is not of that form."""
    result = {}
    for part in filter(None, re.split(r"[,\s]+", text)):
        table, _, days = part.partition("=")
        if not days.isdecimal():
            raise ValueError(f"{part!r} does not say table=days, such as margin_state=90")
        result[table] = int(days)
    return result


def _check_keeping(keep_days: Mapping[str, int], wanted: Mapping[str, Definition]) -> None:
    for name, days in keep_days.items():
        if days > MOST_DAYS:
            raise ValueError(f"{name}={days}: at most {MOST_DAYS:,} days, or 0 for ever")
        if name not in wanted:
            raise ValueError(f"{name} is no table, so its rows cannot be kept for some days")
        if name in FOREVER:
            raise ValueError(f"{name} must be kept whole: it explains what other tables hold")


def _live_tables(store: Store) -> dict[str, LiveTable]:
    columns: dict[str, dict[str, tuple[str, str]]] = {}
    for row in store.query(LIVE_COLUMNS_SQL):
        columns.setdefault(row["table"], {})[row["name"]] = (row["type"], row["default_kind"])
    projections: dict[str, dict[str, str]] = {}
    for row in store.query(LIVE_PROJECTIONS_SQL):
        projections.setdefault(row["table"], {})[row["name"]] = row["query"]
    return {
        row["name"]: LiveTable(
            columns[row["name"]],
            row["sorting_key"],
            row["engine_full"],
            projections.get(row["name"], {}),
        )
        for row in store.query(LIVE_TABLES_SQL)
    }


def _refuse_lost(
    store: Store, wanted: Mapping[str, Definition], live: Mapping[str, object]
) -> None:
    """A table that is missing though rows of it were stored is a loss, not something to create."""
    if MEMORY_TABLE not in live:
        raise SchemaDiffersError("ingest_blocks is missing: what was stored is not known any more")
    sql = "SELECT topic, sum(rows) AS n FROM ingest_blocks WHERE state = 'STORED' GROUP BY topic"
    stored = {row["topic"]: int(row["n"]) for row in store.query(sql)}
    for topic in TOPICS:
        name = topic.name.replace("-", "_")
        if name in wanted and name not in live and stored.get(topic.name):
            raise SchemaDiffersError(
                f"{name} is missing, though {stored[topic.name]} records were stored in it"
            )


def _migrate(store: Store, known: Sequence[Migration], *, fresh: bool) -> None:
    applied = store.query(APPLIED_SQL)
    for row, migration in zip(applied, known, strict=False):
        found = (int(row["number"]), int(row["crc"]))
        if found != (migration.number, migration.crc):
            raise SchemaDiffersError(
                f"migration {found[0]} ({row['name']}) was applied, and is not the one that this "
                f"release knows as {migration.name}"
            )
    if len(applied) > len(known):
        raise SchemaDiffersError(
            f"a newer release has changed the tables: {applied[-1]['name']} is unknown here"
        )
    for migration in known[len(applied) :]:
        if not fresh:
            log.warning("changing the tables: %s", migration.name)
            for statement in migration.statements:
                store.create(statement)
        _record(store, migration, created=fresh)


def _record(store: Store, migration: Migration, *, created: bool) -> None:
    columns = [
        NativeColumn("number", "UInt32", np.array([migration.number], "<u4").tobytes()),
        NativeColumn("name", "String", strings([migration.name])),
        NativeColumn("crc", "UInt32", np.array([migration.crc], "<u4").tobytes()),
        NativeColumn("created", "Bool", bytes([created])),
    ]
    store.insert(RECORD_TABLE, columns, rows=1, token=f"{migration.number}:{migration.crc:08x}")
