-- An asset's terms over time: read one asset's history, or its last row.
CREATE TABLE IF NOT EXISTS assets (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    asset LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the asset',
    price_instrument_id LowCardinality(Nullable(String)) CODEC(ZSTD(1))
        COMMENT 'instrument whose mark prices it; null: it is the valuation currency, at 1',
    `haircut_tiers.floor` Array(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'value from which this slice begins, valuation currency (exact, 8 decimals)',
    `haircut_tiers.haircut_ppm` Array(Int64) CODEC(T64, ZSTD(1))
        COMMENT 'part of this slice that does not count (parts per million)',
    borrow_weight_ppm Int64 CODEC(T64, ZSTD(1))
        COMMENT 'extra weight of a negative balance (parts per million)',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
ORDER BY (asset, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'An asset that counts as collateral, and at what weight.'
