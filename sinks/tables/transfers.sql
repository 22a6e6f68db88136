-- An account's ledger is its rows in order of time; legs are joined by transfer_id.
CREATE TABLE IF NOT EXISTS transfers (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    account_id String CODEC(ZSTD(1)) COMMENT 'the account',
    transfer_id String CODEC(ZSTD(1)) COMMENT 'the same on all its legs',
    leg Int64 CODEC(T64, ZSTD(1)) COMMENT 'number of the leg, from 0',
    legs Int64 CODEC(T64, ZSTD(1)) COMMENT 'how many legs it has',
    kind LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'why',
    bucket LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'cross, or the isolated instrument',
    asset LowCardinality(Nullable(String)) CODEC(ZSTD(1)) COMMENT 'asset that moves',
    amount Decimal64(8) CODEC(T64, ZSTD(1)) COMMENT 'signed (exact, 8 decimals)',
    instrument_id LowCardinality(Nullable(String)) CODEC(ZSTD(1)) COMMENT 'position that moves',
    quantity Decimal64(8) CODEC(T64, ZSTD(1)) COMMENT 'signed contracts (exact, 8 decimals)',
    cost Decimal64(8) CODEC(T64, ZSTD(1)) COMMENT 'signed cost (exact, 8 decimals)',
    more Int64 CODEC(T64, ZSTD(1))
        COMMENT 'legs of this transfer for the same account that follow',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (account_id, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'One leg of a movement between accounts; the legs of a transfer sum to zero.'
