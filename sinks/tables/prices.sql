-- One instrument over a span of time is the question asked; neighbours in price also pack best.
CREATE TABLE IF NOT EXISTS prices (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    instrument_id LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the instrument',
    source LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'who says so',
    sequence Int64 CODEC(DoubleDelta, ZSTD(1))
        COMMENT 'number of the tick at that source, ascending',
    mark Decimal64(8) CODEC(GCD, Delta, ZSTD(1)) COMMENT 'mark price (exact, 8 decimals)',
    `index` Decimal64(8) CODEC(GCD, Delta, ZSTD(1))
        COMMENT 'index price the mark should stay close to (exact, 8 decimals)',
    bid Nullable(Decimal64(8)) CODEC(T64, ZSTD(1)) COMMENT 'best bid (exact, 8 decimals)',
    ask Nullable(Decimal64(8)) CODEC(T64, ZSTD(1)) COMMENT 'best ask (exact, 8 decimals)',
    bid_depth Nullable(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'quantity within 1% below mid (exact, 8 decimals)',
    ask_depth Nullable(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'quantity within 1% above mid (exact, 8 decimals)',
    implied_volatility Nullable(Float64) CODEC(ZSTD(1)) COMMENT 'options: annual, as a fraction',
    funding_rate_estimate Nullable(Float64) CODEC(ZSTD(1))
        COMMENT 'expected next funding rate, as a fraction',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (instrument_id, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'A price tick of one source for one instrument.'
