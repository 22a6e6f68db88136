-- Not ordered: a row an episode, joined by account, bucket and number of the episode.
CREATE OR REPLACE VIEW call_outcomes AS
WITH
    said AS (
        SELECT
            account_id,
            bucket,
            episode,
            minOrNullIf(event_time, level = 'WARNING') AS warned_at,
            minOrNullIf(event_time, level = 'CALL') AS called_at,
            minOrNullIf(event_time, level = 'ESCALATED') AS escalated_at,
            maxOrNullIf(event_time, level = 'CURED') AS cured_at,
            argMinOrNullIf(shortfall_initial, event_time, level = 'CALL') AS shortfall_initial,
            argMinOrNullIf(top_up, event_time, level = 'CALL') AS top_up,
            argMinOrNullIf(deadline, event_time, level = 'CALL') AS deadline
        FROM margin_calls
        GROUP BY account_id, bucket, episode
    ),
    done AS (
        SELECT
            account_id,
            bucket,
            episode,
            countIf(action = 'REDUCE') AS orders,
            minOrNullIf(event_time, action = 'REDUCE') AS reduced_at,
            minOrNullIf(event_time, action = 'TAKE_OVER') AS taken_over_at
        FROM liquidations
        GROUP BY account_id, bucket, episode
    )
SELECT
    account_id,
    bucket,
    episode,
    warned_at,
    called_at,
    shortfall_initial,
    top_up,
    deadline,
    escalated_at,
    reduced_at,
    orders,
    taken_over_at,
    cured_at,
    multiIf(
        taken_over_at IS NOT NULL, 'TAKEN_OVER',
        reduced_at IS NOT NULL, 'LIQUIDATED',
        cured_at IS NOT NULL, 'CURED',
        escalated_at IS NOT NULL, 'ESCALATED',
        called_at IS NOT NULL, 'CALLED',
        'WARNED'
    ) AS outcome,
    dateDiff('ms', called_at, coalesce(reduced_at, taken_over_at, cured_at)) / 1000 AS answered_s
FROM said
LEFT JOIN done USING (account_id, bucket, episode)
COMMENT 'Every episode of warnings and calls, and what became of it'
