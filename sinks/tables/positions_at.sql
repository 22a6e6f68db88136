-- Not ordered: sums of fills and legs, which are ordered by account; name one to read little.
CREATE OR REPLACE VIEW positions_at AS
WITH
    settled AS (
        SELECT instrument_id, max(event_time) AS at
        FROM funding
        WHERE kind = 'SETTLEMENT' AND event_time <= {at:DateTime64(6, 'UTC')}
        GROUP BY instrument_id
    ),
    moved AS (
        SELECT
            account_id,
            if(margin_mode = 'ISOLATED', instrument_id, 'cross') AS bucket,
            instrument_id,
            event_time,
            if(side = 'BUY', quantity, -quantity) AS contracts
        FROM fills
        WHERE event_time <= {at:DateTime64(6, 'UTC')}
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
    sum(contracts) AS quantity,
    max(event_time) AS changed_at
FROM moved
LEFT JOIN settled USING (instrument_id)
WHERE event_time > settled.at
GROUP BY account_id, bucket, instrument_id
HAVING quantity != 0
COMMENT 'Positions as of a time: signed contracts of each bucket, summed from fills and transfers'
