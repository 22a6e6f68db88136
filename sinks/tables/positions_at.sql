-- Not ordered: sums of fills and legs, which are ordered by account; name one to read little.
-- Fills count by whole hours, but for hours in which an instrument settled and that of `at`.
CREATE OR REPLACE VIEW positions_at AS
WITH
    settled AS (
        SELECT instrument_id, max(event_time) AS at
        FROM funding
        WHERE kind = 'SETTLEMENT' AND event_time <= {at:DateTime64(6, 'UTC')}
        GROUP BY instrument_id
    ),
    cut AS (
        SELECT toStartOfHour({at:DateTime64(6, 'UTC')}) AS hour
        UNION DISTINCT
        SELECT toStartOfHour(at) FROM settled
    ),
    traded AS (
        SELECT
            account_id,
            instrument_id,
            margin_mode,
            side,
            sum(quantity) AS contracts,
            max(event_time) AS moved_at
        FROM fills
        WHERE toStartOfHour(event_time) < toStartOfHour({at:DateTime64(6, 'UTC')})
            AND toStartOfHour(event_time) NOT IN (SELECT hour FROM cut)
        GROUP BY account_id, instrument_id, margin_mode, side, toStartOfHour(event_time)
        UNION ALL
        SELECT account_id, instrument_id, margin_mode, side, quantity, event_time
        FROM fills
        WHERE toStartOfHour(event_time) IN (SELECT hour FROM cut)
            AND event_time <= {at:DateTime64(6, 'UTC')}
    ),
    moved AS (
        SELECT
            account_id,
            if(margin_mode = 'ISOLATED', instrument_id, 'cross') AS bucket,
            instrument_id,
            moved_at,
            if(side = 'BUY', contracts, -contracts) AS moved_by
        FROM traded
        UNION ALL
        SELECT account_id, bucket, assumeNotNull(instrument_id), event_time, quantity
        FROM transfers
        WHERE instrument_id IS NOT NULL AND quantity != 0
            AND event_time <= {at:DateTime64(6, 'UTC')}
    )
SELECT
    account_id,
    bucket,
    instrument_id,
    sum(moved_by) AS quantity,
    max(moved_at) AS changed_at
FROM moved
LEFT JOIN settled USING (instrument_id)
WHERE moved_at > settled.at
GROUP BY account_id, bucket, instrument_id
HAVING quantity != 0
COMMENT 'Positions as of a time: signed contracts of each bucket, summed from fills and transfers'
