-- One instrument over a span of time is the question asked.
CREATE TABLE IF NOT EXISTS volatility (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    instrument_id LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the instrument',
    ewma_fast Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'a day, decay 0.94',
    ewma_slow Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'a day, decay 0.97',
    garch Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'a day',
    har Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'a day',
    forecast Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'a day, combined',
    spike_probability Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'chance that variance doubles',
    regime LowCardinality(Nullable(String)) CODEC(ZSTD(1)) COMMENT 'name of the regime',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (instrument_id, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Volatility estimates of an instrument.'
