-- A contract's terms over time: read one instrument's history, or its last row.
CREATE TABLE IF NOT EXISTS instruments (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    instrument_id LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the instrument',
    kind LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'how its value follows from its price',
    base LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'base asset',
    quote LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'quote asset',
    settlement_asset LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'asset in which profit is paid',
    multiplier Decimal64(8) CODEC(GCD, Delta, ZSTD(1))
        COMMENT 'units of base (linear) or quote (inverse) a contract (exact, 8 decimals)',
    tick Decimal64(8) CODEC(GCD, Delta, ZSTD(1)) COMMENT 'smallest price step (exact, 8 decimals)',
    lot Decimal64(8) CODEC(GCD, Delta, ZSTD(1))
        COMMENT 'smallest quantity step (exact, 8 decimals)',
    strike Nullable(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'options: strike price (exact, 8 decimals)',
    expiry Nullable(DateTime64(6, 'UTC')) CODEC(T64, ZSTD(1))
        COMMENT 'futures and options: expiry (UTC, microseconds)',
    option_type LowCardinality(Nullable(String)) CODEC(ZSTD(1)) COMMENT 'options: call or put',
    underlying LowCardinality(Nullable(String)) CODEC(ZSTD(1))
        COMMENT 'options and futures: instrument whose price settles it',
    status LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'what may still be done with it',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
ORDER BY (instrument_id, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'A contract or pair that can be held, and how its profit is computed.'
