-- Questions start from an account; its movements lie together and in order of time.
CREATE TABLE IF NOT EXISTS collateral (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    account_id String CODEC(ZSTD(1)) COMMENT 'the account',
    collateral_id String CODEC(ZSTD(1)) COMMENT 'unique at the exchange',
    asset LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'what moves',
    amount Decimal64(8) CODEC(T64, ZSTD(1))
        COMMENT 'signed: positive into the account or isolated bucket (exact, 8 decimals)',
    kind LowCardinality(String) CODEC(ZSTD(1))
        COMMENT 'why it moves; TRANSFER is between the cross pool and an isolated bucket',
    isolated_instrument_id LowCardinality(Nullable(String)) CODEC(ZSTD(1))
        COMMENT 'the isolated bucket concerned; null: the cross pool',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (account_id, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'A change of an account\'s collateral.'
