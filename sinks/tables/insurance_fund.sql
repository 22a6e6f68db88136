-- A fund's balance over time.
CREATE TABLE IF NOT EXISTS insurance_fund (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    asset LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'asset of the fund',
    balance Decimal64(8) CODEC(T64, ZSTD(1)) COMMENT 'balance after (exact, 8 decimals)',
    change Decimal64(8) CODEC(T64, ZSTD(1)) COMMENT 'signed change (exact, 8 decimals)',
    reason String CODEC(ZSTD(1)) COMMENT 'what moved it',
    source_id Nullable(String) CODEC(ZSTD(1)) COMMENT 'id of the record that moved it',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
ORDER BY (asset, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'The balance of an insurance fund after a movement.'
