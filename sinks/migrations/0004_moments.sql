-- A moment of all accounts is read without the rest of their history.
ALTER TABLE margin_state
    ADD PROJECTION IF NOT EXISTS by_time (
        SELECT event_time, account_id, quarantined, `buckets.bucket`, `buckets.stage`,
            `buckets.equity`, `buckets.initial_margin`, `buckets.maintenance_margin`,
            `buckets.health`, `buckets.guard`, _offset
        ORDER BY event_time, account_id
    );
ALTER TABLE margin_state
    MATERIALIZE PROJECTION by_time;
ALTER TABLE fills
    ADD PROJECTION IF NOT EXISTS by_hour (
        SELECT account_id, instrument_id, margin_mode, side, toStartOfHour(event_time),
            sum(quantity), max(event_time)
        GROUP BY account_id, instrument_id, margin_mode, side, toStartOfHour(event_time)
    ),
    ADD PROJECTION IF NOT EXISTS by_time (
        SELECT event_time, account_id, instrument_id, margin_mode, side, quantity
        ORDER BY event_time
    );
ALTER TABLE fills
    MATERIALIZE PROJECTION by_hour,
    MATERIALIZE PROJECTION by_time;
