-- A question and its answers lie together, by the fund that asked and in the order it asked.
CREATE TABLE IF NOT EXISTS deleveraging (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    request_id String CODEC(ZSTD(1)) COMMENT 'the account of the fund and a number',
    event LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the question or an answer',
    fund String CODEC(ZSTD(1)) COMMENT 'account of the insurance fund',
    asset LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'asset in which the fund pays',
    instrument_id LowCardinality(Nullable(String)) CODEC(ZSTD(1))
        COMMENT 'position to hand over; null: a loss to share among winners',
    quantity Decimal64(8) CODEC(T64, ZSTD(1))
        COMMENT 'asked: signed contracts to hand over; answered: those told (exact, 8 decimals)',
    partition Int64 CODEC(T64, ZSTD(1)) COMMENT 'partition that answers; -1: the question',
    gain Decimal64(8) CODEC(T64, ZSTD(1))
        COMMENT 'answered: unrealised profit of all its winners in the asset (exact, 8 decimals)',
    `candidates.account_id` Array(String) CODEC(ZSTD(1)) COMMENT 'the account, best first',
    `candidates.bucket` Array(LowCardinality(String)) CODEC(ZSTD(1))
        COMMENT 'cross, or the isolated instrument',
    `candidates.quantity` Array(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'signed contracts held, opposite to those asked (exact, 8 decimals)',
    `candidates.cost` Array(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'their cost, settlement asset (exact, 8 decimals)',
    `candidates.score` Array(Float64) CODEC(ZSTD(1))
        COMMENT 'profit over cost x effective leverage of the account',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
ORDER BY (fund, request_id, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'An insurance fund asks who could take part of what it cannot carry, or an answer.'
