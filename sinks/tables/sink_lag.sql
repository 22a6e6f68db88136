-- Not ordered: a row a partition, from the blocks of the sink.
CREATE OR REPLACE VIEW sink_lag AS
WITH blocks AS (
    SELECT
        topic,
        topic_id,
        partition,
        first_offset,
        last_offset,
        any(rows) AS records,
        max(refused) AS refused,
        minIf(at, state = 'PENDING') AS began,
        maxOrNullIf(at, state = 'STORED') AS ended
    FROM ingest_blocks
    GROUP BY topic, topic_id, partition, first_offset, last_offset
)
SELECT
    topic,
    partition,
    maxIf(last_offset + 1, ended IS NOT NULL) AS stored_to,
    max(ended) AS stored_at,
    dateDiff('ms', stored_at, now64(3)) / 1000 AS quiet_s,
    countIf(ended IS NULL) AS on_the_way,
    sum(records) AS records,
    sum(refused) AS refused,
    avg(dateDiff('ms', began, ended)) AS mean_insert_ms
FROM blocks
GROUP BY topic, topic_id, partition
COMMENT 'How far the sink is in each partition, since when it is quiet, and how long inserts take'
