-- Not ordered: a row an episode, of what was told of it; name an account to read little.
-- Both tables are grouped once: what an episode came to is its latest stage, by number.
CREATE OR REPLACE VIEW call_outcomes AS
WITH
    toDateTime64(0, 6, 'UTC') AS never,
    told AS (
        SELECT
            account_id,
            bucket,
            episode,
            event_time,
            transform(level, ['WARNING', 'CALL', 'ESCALATED', 'CURED'], [1, 2, 3, 4], 1) AS stage,
            shortfall_initial,
            top_up,
            deadline
        FROM margin_calls
        UNION ALL
        SELECT
            account_id,
            bucket,
            episode,
            event_time,
            transform(action, ['REDUCE', 'TAKE_OVER'], [5, 6], 0),
            toDecimal64(0, 8),
            toDecimal64(0, 8),
            NULL
        FROM liquidations
        WHERE action IN ('REDUCE', 'TAKE_OVER')
    )
SELECT
    account_id,
    any(told.bucket) AS bucket,
    any(told.episode) AS episode,
    nullIf(minIf(event_time, stage = 1), never) AS warned_at,
    nullIf(minIf(event_time, stage = 2), never) AS called_at,
    argMinOrNullIf(told.shortfall_initial, event_time, stage = 2) AS shortfall_initial,
    argMinOrNullIf(told.top_up, event_time, stage = 2) AS top_up,
    argMinOrNullIf(told.deadline, event_time, stage = 2) AS deadline,
    nullIf(minIf(event_time, stage = 3), never) AS escalated_at,
    nullIf(minIf(event_time, stage = 5), never) AS reduced_at,
    countIf(stage = 5) AS orders,
    nullIf(minIf(event_time, stage = 6), never) AS taken_over_at,
    nullIf(maxIf(event_time, stage = 4), never) AS cured_at,
    ['WARNED', 'CALLED', 'ESCALATED', 'CURED', 'LIQUIDATED', 'TAKEN_OVER'][max(stage)] AS outcome,
    dateDiff('ms', called_at, coalesce(reduced_at, taken_over_at, cured_at)) / 1000 AS answered_s
FROM told
GROUP BY account_id, cityHash64(told.bucket, told.episode)
HAVING min(stage) < 5
COMMENT 'Every episode of warnings and calls, and what became of it'
