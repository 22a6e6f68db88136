-- Where one account stood at a moment is the row before it; neighbours also pack best.
CREATE TABLE IF NOT EXISTS margin_state (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    account_id String CODEC(ZSTD(1)) COMMENT 'the account',
    quarantined Bool CODEC(ZSTD(1))
        COMMENT 'an event of its own is a dead letter: watched, not liquidated',
    `buckets.bucket` Array(LowCardinality(String)) CODEC(ZSTD(1))
        COMMENT 'cross, or the isolated instrument',
    `buckets.stage` Array(LowCardinality(String)) CODEC(ZSTD(1)) COMMENT 'how far down the ladder',
    `buckets.episode` Array(Int64) CODEC(T64, ZSTD(1))
        COMMENT 'number of its walks down the ladder',
    `buckets.equity` Array(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'equity, valuation currency (exact, 8 decimals)',
    `buckets.initial_margin` Array(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'initial margin (exact, 8 decimals)',
    `buckets.maintenance_margin` Array(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'maintenance margin (exact, 8 decimals)',
    `buckets.health` Array(Nullable(Float64)) CODEC(ZSTD(1))
        COMMENT 'equity / maintenance margin; null: nothing to maintain',
    `buckets.guard` Array(LowCardinality(String)) CODEC(ZSTD(1))
        COMMENT 'worst guard among its marks',
    `buckets.initial_equity` Array(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'what meets the initial margin: equity at conservative prices (exact, 8 decimals)',
    `buckets.worst_scenario` Array(Nullable(String)) CODEC(ZSTD(1))
        COMMENT 'portfolio margin: the scenario that loses most',
    `balances.bucket` Array(LowCardinality(String)) CODEC(ZSTD(1))
        COMMENT 'cross, or the isolated instrument',
    `balances.asset` Array(LowCardinality(String)) CODEC(ZSTD(1)) COMMENT 'asset',
    `balances.amount` Array(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'ledger balance (exact, 8 decimals)',
    `positions.bucket` Array(LowCardinality(String)) CODEC(ZSTD(1))
        COMMENT 'cross, or the isolated instrument',
    `positions.instrument_id` Array(LowCardinality(String)) CODEC(ZSTD(1)) COMMENT 'the instrument',
    `positions.quantity` Array(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'signed contracts (exact, 8 decimals)',
    `positions.cost` Array(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'signed quantity x unit value over its fills, settlement asset (exact, 8 decimals)',
    `positions.mark` Array(Decimal64(8)) CODEC(GCD, Delta, ZSTD(1))
        COMMENT 'mark used (exact, 8 decimals)',
    `positions.profit` Array(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'unrealised, settlement asset (exact, 8 decimals)',
    `positions.maintenance_margin` Array(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'its part of the maintenance margin (exact, 8 decimals)',
    `positions.liquidation_price` Array(Nullable(Decimal64(8))) CODEC(ZSTD(1))
        COMMENT 'mark at which equity meets the maintenance margin, all else fixed; null: none',
    `greeks.bucket` Array(LowCardinality(String)) CODEC(ZSTD(1))
        COMMENT 'cross, or the isolated instrument',
    `greeks.underlying` Array(LowCardinality(String)) CODEC(ZSTD(1))
        COMMENT 'instrument whose price drives them',
    `greeks.delta` Array(Float64) CODEC(ZSTD(1)) COMMENT 'units of the underlying',
    `greeks.gamma` Array(Float64) CODEC(ZSTD(1)) COMMENT 'delta a unit of price',
    `greeks.vega` Array(Float64) CODEC(ZSTD(1)) COMMENT 'value a volatility of 1.00',
    `greeks.theta` Array(Float64) CODEC(ZSTD(1)) COMMENT 'value a year',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _applied String CODEC(ZSTD(1))
        COMMENT 'the offset behind what the decision had applied, by topic; empty: not known',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)',
    -- What states_at tells of all accounts at a moment: the same states, by time.
    PROJECTION by_time (
        SELECT
            event_time,
            account_id,
            quarantined,
            `buckets.bucket`,
            `buckets.stage`,
            `buckets.equity`,
            `buckets.initial_margin`,
            `buckets.maintenance_margin`,
            `buckets.health`,
            `buckets.guard`,
            _offset
        ORDER BY event_time, account_id
    )
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(event_time)
ORDER BY (account_id, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Where an account stands, bucket by bucket.'
