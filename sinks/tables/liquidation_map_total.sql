-- Not ordered: the last two minutes of liquidation_map, which lies in order of instrument and time.
CREATE OR REPLACE VIEW liquidation_map_total AS
WITH
    newest AS (
        SELECT
            instrument_id,
            partition,
            max(event_time) AS at,
            argMax(
                (mark, `steps.shock_ppm`, `steps.long`, `steps.short`), (event_time, _offset)
            ) AS part
        FROM liquidation_map
        WHERE event_time > (SELECT max(event_time) FROM liquidation_map) - INTERVAL 2 MINUTE
        GROUP BY instrument_id, partition
    ),
    steps AS (
        SELECT instrument_id, at, part.1 AS mark, step.1 AS shock, step.2 AS longs, step.3 AS shorts
        FROM newest
        ARRAY JOIN arrayZip(part.2, part.3, part.4) AS step
    )
SELECT
    instrument_id,
    max(at) AS event_time,
    argMax(steps.mark, at) AS mark,
    shock AS shock_ppm,
    toFloat64(mark) * (1 + shock_ppm / 1e6) AS price,
    sum(longs) AS long,
    sum(shorts) AS short
FROM steps
GROUP BY instrument_id, shock
ORDER BY instrument_id, shock_ppm
COMMENT 'Notional liquidated at each price of an instrument, all accounts: newest parts added up'
