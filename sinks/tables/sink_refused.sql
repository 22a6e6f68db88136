-- Read by topic: which of its records are missing from its table, and why.
CREATE TABLE IF NOT EXISTS sink_refused (
    topic LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'topic it was read from',
    partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    reason LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'rule that it broke',
    message String CODEC(ZSTD(1)) COMMENT 'a sentence for people',
    key Nullable(String) CODEC(ZSTD(1)) COMMENT 'original key (bytes as they came)',
    value Nullable(String) CODEC(ZSTD(1)) COMMENT 'original value (bytes as they came)',
    timestamp DateTime64(3, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'broker\'s time of the record (UTC, milliseconds)',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
ORDER BY (topic, partition, offset)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Records that the sink could not put into the table of their topic, byte for byte.'
