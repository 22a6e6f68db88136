-- Funding is read by instrument over time.
CREATE TABLE IF NOT EXISTS funding (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    instrument_id LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the instrument',
    funding_id String CODEC(ZSTD(1)) COMMENT 'unique; applied once',
    rate Float64 CODEC(ZSTD(1)) COMMENT 'fraction of notional that longs pay to shorts',
    mark Decimal64(8) CODEC(GCD, Delta, ZSTD(1))
        COMMENT 'mark at which notional is taken, or all is settled (exact, 8 decimals)',
    kind LowCardinality(String) CODEC(ZSTD(1))
        COMMENT 'SETTLEMENT closes every position at mark_e8',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
ORDER BY (instrument_id, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'What is due once on every position of an instrument: a funding payment, or its settlement.'
