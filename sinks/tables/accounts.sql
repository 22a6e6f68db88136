-- An account's mode and status over time: the row before a moment is what held then.
CREATE TABLE IF NOT EXISTS accounts (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    account_id String CODEC(ZSTD(1)) COMMENT 'the account',
    mode LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'its default bucket',
    risk_profile LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'name of the rule set',
    status LowCardinality(String) CODEC(ZSTD(1))
        COMMENT 'WATCHED: called, never liquidated; ACTIVE also lifts a quarantine',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
ORDER BY (account_id, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'How an account wants to be margined, and whether it may be liquidated.'
