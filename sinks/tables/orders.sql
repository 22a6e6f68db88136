-- Questions start from an account; what was said of its orders lies together and in order of time.
CREATE TABLE IF NOT EXISTS orders (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    account_id String CODEC(ZSTD(1)) COMMENT 'the account',
    order_id String CODEC(ZSTD(1)) COMMENT 'unique within the account',
    instrument_id LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the instrument',
    side LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'what the account would do',
    price Decimal64(8) CODEC(GCD, Delta, ZSTD(1))
        COMMENT 'limit price, a multiple of the tick (exact, 8 decimals)',
    remaining Decimal64(8) CODEC(T64, ZSTD(1))
        COMMENT 'contracts not filled yet; 0: the order is gone (exact, 8 decimals)',
    margin_mode LowCardinality(String) CODEC(ZSTD(1))
        COMMENT 'which bucket its fills would belong to',
    reduce_only Bool CODEC(ZSTD(1)) COMMENT 'it never makes a position larger',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (account_id, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'What is open of an order, in place of what was said of it before.'
