"""Views of one moment read projections, which say what the rows say, also after rows went."""

import pytest

from sinks.schema import create_tables
from sinks.store import Store, StoreError

pytestmark = pytest.mark.embedded
DAY = "2025-10-10"
ROWS = 60_000
ACCOUNTS = 7
STATES = f"""INSERT INTO margin_state (event_time, account_id, `buckets.bucket`, `buckets.stage`,
    `buckets.equity`, `buckets.initial_margin`, `buckets.maintenance_margin`, `buckets.health`,
    `buckets.guard`, `buckets.episode`, `buckets.initial_equity`, `buckets.worst_scenario`, _offset)
SELECT toDateTime64('{DAY} 00:00:00', 6, 'UTC') + number / 2, concat('acc-', number % {ACCOUNTS}),
    ['cross'], ['HEALTHY'], [number], [2], [1], [number], ['LIVE'], [0], [0], [NULL], number
FROM numbers({ROWS})"""
FILLS = f"""INSERT INTO fills (event_time, account_id, instrument_id, side, quantity, margin_mode,
    _offset)
SELECT toDateTime64('{DAY} 00:00:00', 6, 'UTC') + number / 2, concat('acc-', number % {ACCOUNTS}),
    if(number % 3 = 0, 'ETH-F', 'BTC-PERP'), if(number % 5 < 3, 'BUY', 'SELL'), 1 + number % 11,
    if(number % 2 = 0, 'CROSS', 'ISOLATED'), number
FROM numbers({ROWS})"""
SETTLED = f"""INSERT INTO funding (event_time, instrument_id, kind)
VALUES ('{DAY} 03:20:00.3', 'ETH-F', 'SETTLEMENT')"""
MOMENTS = ("00:30:00", "03:00:00", "03:20:00.3", "03:40:00.2", "06:10:00.7", "09:00:00")
POSITIONS = f"""SELECT account_id, bucket, instrument_id, quantity, changed_at
FROM positions_at(at = '{DAY} {{}}') ORDER BY ALL"""
STANDING = (
    f"""SELECT account_id, event_time, equity FROM states_at(at = '{DAY} {{}}') ORDER BY ALL"""
)
PLAIN_POSITIONS = f"""
SELECT account_id, if(margin_mode = 'ISOLATED', instrument_id, 'cross') AS bucket, instrument_id,
    sum(if(side = 'BUY', quantity, -quantity)) AS quantity, max(event_time) AS changed_at
FROM fills
WHERE event_time <= '{DAY} {{0}}'
    AND (instrument_id != 'ETH-F' OR '{DAY} {{0}}' < '{DAY} 03:20:00.3'
    OR event_time > '{DAY} 03:20:00.3')
GROUP BY ALL HAVING quantity != 0 ORDER BY ALL SETTINGS optimize_use_projections = 0"""
PLAIN_STANDING = f"""
SELECT account_id, argMax(event_time, _offset) AS event_time,
    argMax(`buckets.equity`[1], _offset) AS equity
FROM margin_state AS s WHERE s.event_time <= '{DAY} {{0}}'
GROUP BY account_id ORDER BY ALL SETTINGS optimize_use_projections = 0"""
REMOVED = {
    "nothing": (),
    "rows": tuple(
        f"ALTER TABLE {one} DELETE WHERE _offset % 4 = 1 SETTINGS mutations_sync = 2"
        for one in ("fills", "margin_state")
    ),
    "old rows": ("OPTIMIZE TABLE fills FINAL", "OPTIMIZE TABLE margin_state FINAL"),
}


@pytest.fixture
def filled(store: Store) -> Store:
    for statement in (STATES, FILLS, SETTLED):
        store.create(statement)
    return store


@pytest.mark.parametrize("removed", list(REMOVED))
def test_a_moment_is_what_the_rows_say(filled: Store, removed: str) -> None:
    if removed == "old rows":
        for table in ("fills", "margin_state"):
            filled.create(
                f"INSERT INTO {table} (event_time, account_id, _offset) "
                "VALUES (now64(6) + INTERVAL 1 DAY, 'acc-new', 99999999)"
            )
        create_tables(filled, {"fills": 1, "margin_state": 1})
    for statement in REMOVED[removed]:
        filled.create(statement)
    held = 0
    for moment in MOMENTS:
        positions = filled.query(POSITIONS.format(moment))
        assert positions == filled.query(PLAIN_POSITIONS.format(moment)), moment
        standing = filled.query(STANDING.format(moment))
        assert standing == filled.query(PLAIN_STANDING.format(moment)), moment
        held += len(positions) + len(standing)
    assert bool(held) == (removed != "old rows")


@pytest.mark.parametrize(
    ("question", "projections"),
    [(STANDING, {"by_time"}), (POSITIONS, {"by_hour", "by_time"})],
    ids=["states", "positions"],
)
def test_a_moment_is_read_from_projections(
    filled: Store, question: str, projections: set[str]
) -> None:
    plan = filled.query(f"EXPLAIN {question.format('06:10:00.7')}")
    lines = "\n".join(row["explain"] for row in plan)
    assert {name for name in projections if f"ReadFromMergeTree ({name})" in lines} == projections


@pytest.mark.parametrize("table", ["fills", "margin_state"])
def test_a_delete_that_projections_would_not_follow_is_refused(filled: Store, table: str) -> None:
    with pytest.raises(StoreError, match="projection"):
        filled.create(f"DELETE FROM {table} WHERE _offset = 5")
