-- The story of an account is read in order of time.
CREATE TABLE IF NOT EXISTS margin_calls (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    account_id String CODEC(ZSTD(1)) COMMENT 'the account',
    call_id String CODEC(ZSTD(1)) COMMENT 'account/bucket/episode/step',
    bucket LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'cross, or the isolated instrument',
    episode Int64 CODEC(T64, ZSTD(1)) COMMENT 'number of the walk down the ladder',
    level LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'what it says',
    equity Decimal64(8) CODEC(T64, ZSTD(1))
        COMMENT 'equity at the decision, valuation currency (exact, 8 decimals)',
    initial_margin Decimal64(8) CODEC(T64, ZSTD(1)) COMMENT 'initial margin (exact, 8 decimals)',
    maintenance_margin Decimal64(8) CODEC(T64, ZSTD(1))
        COMMENT 'maintenance margin (exact, 8 decimals)',
    shortfall_initial Decimal64(8) CODEC(T64, ZSTD(1))
        COMMENT 'missing to the initial margin (exact, 8 decimals)',
    shortfall_maintenance Decimal64(8) CODEC(T64, ZSTD(1))
        COMMENT 'missing to the maintenance margin (exact, 8 decimals)',
    top_up Decimal64(8) CODEC(T64, ZSTD(1))
        COMMENT 'deposit of the valuation currency that cures (exact, 8 decimals)',
    deadline Nullable(DateTime64(6, 'UTC')) CODEC(T64, ZSTD(1))
        COMMENT 'when an unanswered call escalates (UTC, microseconds)',
    `marks.instrument_id` Array(LowCardinality(String)) CODEC(ZSTD(1)) COMMENT 'the instrument',
    `marks.mark` Array(Decimal64(8)) CODEC(GCD, Delta, ZSTD(1))
        COMMENT 'mark price the decision used (exact, 8 decimals)',
    `marks.guard` Array(LowCardinality(String)) CODEC(ZSTD(1))
        COMMENT 'what the price guard said of it',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _applied String CODEC(ZSTD(1))
        COMMENT 'the offset behind what the decision had applied, by topic; empty: not known',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
ORDER BY (account_id, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'A warning, a call for margin, or the news that it was answered.'
