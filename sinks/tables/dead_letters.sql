-- First which topic is hurt, then by what, then since when.
CREATE TABLE IF NOT EXISTS dead_letters (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    topic LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'where it was read',
    partition Int64 CODEC(T64, ZSTD(1)) COMMENT 'where it was read',
    offset Int64 CODEC(T64, ZSTD(1)) COMMENT 'where it was read',
    reason LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'rule that it broke',
    message String CODEC(ZSTD(1)) COMMENT 'a sentence for people',
    key Nullable(String) CODEC(ZSTD(1)) COMMENT 'original key (bytes as they came)',
    value Nullable(String) CODEC(ZSTD(1)) COMMENT 'original value (bytes as they came)',
    schema_id Nullable(Int64) CODEC(T64, ZSTD(1)) COMMENT 'schema id it carried',
    timestamp_ms Nullable(Int64) CODEC(T64, ZSTD(1))
        COMMENT 'broker\'s time of the record (milliseconds since the epoch, UTC)',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
ORDER BY (topic, reason, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'A record that could not be applied, with its original bytes.'
