-- One instrument over a span of time is the question asked; a part is drawn as a whole.
CREATE TABLE IF NOT EXISTS liquidation_map (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    instrument_id LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the instrument',
    partition Int64 CODEC(T64, ZSTD(1))
        COMMENT 'partition of the accounts; the newest rows of all partitions add up',
    mark Decimal64(8) CODEC(GCD, Delta, ZSTD(1)) COMMENT 'the mark that moves (exact, 8 decimals)',
    unmapped_long Decimal64(8) CODEC(T64, ZSTD(1))
        COMMENT 'held long where no step counts it, notional at the mark (exact, 8 decimals)',
    unmapped_short Decimal64(8) CODEC(T64, ZSTD(1))
        COMMENT 'held short there (exact, 8 decimals)',
    `steps.shock_ppm` Array(Int64) CODEC(T64, ZSTD(1)) COMMENT 'move of the mark (ppm)',
    `steps.long` Array(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'long positions liquidated on the way there, notional (exact, 8 decimals)',
    `steps.short` Array(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'short positions liquidated on the way there (exact, 8 decimals)',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (instrument_id, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'What the accounts of a partition would have liquidated as the mark of an instrument moves.'
