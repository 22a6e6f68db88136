-- Read by table: what was kept of it for how long, and until when that was so.
CREATE TABLE IF NOT EXISTS retention_changes (
    table_name LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'table whose rows are meant',
    at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when it was changed (UTC, milliseconds)',
    before UInt32 CODEC(T64, ZSTD(1))
        COMMENT 'days that rows were kept until then, by their event time; 0: for ever',
    after UInt32 CODEC(T64, ZSTD(1)) COMMENT 'days that they are kept from then on; 0: for ever'
)
ENGINE = MergeTree
ORDER BY (table_name, at)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Every change of the days that rows of a table are kept.'
