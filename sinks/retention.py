"""Rows that may go after some days: the tables are told, and what may be gone of each is known."""

import re
import uuid
from collections.abc import Mapping
from datetime import datetime

import numpy as np

from sinks.native import NativeColumn, strings
from sinks.store import Store

CHANGES_TABLE = "retention_changes"
MOST_DAYS = 20_000
"""A DateTime ends in 2106: later, and an age is counted from 1970 again."""
CUTOFFS_SQL = """
SELECT name, max(until - toIntervalDay(days)) AS cutoff
FROM (
    SELECT table_name AS name, at AS until, before AS days FROM retention_changes
    UNION ALL
    SELECT name, now64(3, 'UTC'), toUInt32OrZero(extract(engine_full, 'toIntervalDay\\((\\d+)\\)'))
    FROM system.tables WHERE database = currentDatabase()
)
WHERE days > 0
GROUP BY name
"""


def keep(store: Store, table: str, engine: str, days: int) -> None:
    """Let rows of a table go `days` after their event time; 0: never.

    `engine` is how the store describes the table's. Parts whose rows are all old enough are dropped
    whole; from others old rows go when the parts are merged.
    """
    found = re.search(r"toIntervalDay\((\d+)\)", engine)
    before = int(found[1]) if found else 0
    if days == before:
        return
    columns = [
        NativeColumn("table_name", "String", strings([table])),
        NativeColumn("before", "UInt32", np.array([before], "<u4").tobytes()),
        NativeColumn("after", "UInt32", np.array([days], "<u4").tobytes()),
    ]
    store.insert(CHANGES_TABLE, columns, rows=1, token=uuid.uuid4().hex)
    if not days:
        store.create(f"ALTER TABLE {table} REMOVE TTL")
        return
    store.create(f"ALTER TABLE {table} MODIFY SETTING ttl_only_drop_parts = 1")
    store.create(f"ALTER TABLE {table} MODIFY TTL toDateTime(event_time) + toIntervalDay({days})")


def cutoffs(store: Store) -> Mapping[str, datetime]:
    """Table -> event time before which rows may be gone, of tables whose rows go or once went."""
    return {row["name"]: row["cutoff"] for row in store.query(CUTOFFS_SQL)}
