-- Not ordered: the newest row of each account up to a time, found by time and account.
CREATE OR REPLACE VIEW states_at AS
SELECT
    account_id,
    event_time,
    part.1 AS bucket,
    part.2 AS stage,
    part.3 AS equity,
    part.4 AS initial_margin,
    part.5 AS maintenance_margin,
    part.6 AS health,
    part.7 AS guard,
    quarantined
FROM (
    SELECT *
    FROM margin_state
    WHERE (event_time, account_id) IN (
        SELECT max(event_time), account_id
        FROM margin_state
        WHERE event_time <= {at:DateTime64(6, 'UTC')}
        GROUP BY account_id
    )
    ORDER BY _offset DESC -- not by account first: that would be the order of all their history
    LIMIT 1 BY account_id
)
ARRAY JOIN arrayZip(
    `buckets.bucket`, `buckets.stage`, `buckets.equity`, `buckets.initial_margin`,
    `buckets.maintenance_margin`, `buckets.health`, `buckets.guard`
) AS part
COMMENT 'Where accounts stood at a time: their last margin state until then, a row a bucket'
