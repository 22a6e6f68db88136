-- Questions start from an account; its trades lie together and in order of time.
CREATE TABLE IF NOT EXISTS fills (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    account_id String CODEC(ZSTD(1)) COMMENT 'the account',
    fill_id String CODEC(ZSTD(1)) COMMENT 'unique at the exchange',
    instrument_id LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the instrument',
    side LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'what the account did',
    price Decimal64(8) CODEC(GCD, Delta, ZSTD(1))
        COMMENT 'trade price, a multiple of the tick (exact, 8 decimals)',
    quantity Decimal64(8) CODEC(T64, ZSTD(1))
        COMMENT 'contracts, positive, a multiple of the lot (exact, 8 decimals)',
    fee Decimal64(8) CODEC(T64, ZSTD(1))
        COMMENT 'fee paid, negative for a rebate (exact, 8 decimals)',
    fee_asset LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'asset of the fee',
    liquidity LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'who rested in the book',
    margin_mode LowCardinality(String) CODEC(ZSTD(1))
        COMMENT 'which bucket the position belongs to',
    isolated_margin Decimal64(8) CODEC(T64, ZSTD(1))
        COMMENT 'moved from cross to the isolated bucket; negative: back (exact, 8 decimals)',
    liquidation_id Nullable(String) CODEC(ZSTD(1)) COMMENT 'the liquidation order it fills',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)',
    -- What positions_at sums: whole hours, and the trades of those hours that it needs in part.
    PROJECTION by_hour (
        SELECT
            account_id,
            instrument_id,
            margin_mode,
            side,
            toStartOfHour(event_time),
            sum(quantity),
            max(event_time)
        GROUP BY account_id, instrument_id, margin_mode, side, toStartOfHour(event_time)
    ),
    PROJECTION by_time (
        SELECT event_time, account_id, instrument_id, margin_mode, side, quantity
        ORDER BY event_time
    )
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (account_id, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'One side of a trade.'
