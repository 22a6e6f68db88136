-- Not ordered: one account's rows of margin_state, which lie together and in order of time.
CREATE OR REPLACE VIEW equity_curve AS
SELECT
    event_time,
    arraySum(`buckets.equity`) AS equity,
    arraySum(`buckets.initial_margin`) AS initial_margin,
    arraySum(`buckets.maintenance_margin`) AS maintenance_margin,
    arrayMin(arrayMap(h -> coalesce(h, inf), `buckets.health`)) AS worst_health,
    arraySum(`positions.profit`) AS unrealised,
    length(`positions.instrument_id`) AS positions,
    quarantined
FROM margin_state
WHERE account_id = {account:String} AND notEmpty(`buckets.equity`)
COMMENT 'Equity and margins of one account over time, all its buckets together'
