-- A subject's rules in the order they came; the last effective one is in force.
CREATE TABLE IF NOT EXISTS risk_params (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    subject LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'instrument or asset',
    version Int64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'ascending per subject',
    effective_at DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'in force from (UTC, microseconds)',
    reason String CODEC(ZSTD(1)) COMMENT 'why it changed',
    tier_method LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'how a tier table prices a position',
    `tiers.floor` Array(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'notional from which the tier applies, valuation currency (exact, 8 decimals)',
    `tiers.initial_ppm` Array(Int64) CODEC(T64, ZSTD(1))
        COMMENT 'initial margin rate (parts per million)',
    `tiers.maintenance_ppm` Array(Int64) CODEC(T64, ZSTD(1))
        COMMENT 'maintenance margin rate (parts per million)',
    margin_scalar_ppm Int64 CODEC(T64, ZSTD(1)) COMMENT 'multiplies both rates (parts per million)',
    fee_ppm Int64 CODEC(T64, ZSTD(1))
        COMMENT 'expected liquidation fee, part of both rates (parts per million)',
    open_interest_ppm Int64 CODEC(T64, ZSTD(1))
        COMMENT 'how far open interest lifts the initial rate towards 100% (parts per million)',
    initial_size_factor_ppb Int64 CODEC(T64, ZSTD(1))
        COMMENT 'SQRT: ppb of the initial rate for the root of one unit of base',
    maintenance_size_factor_ppb Int64 CODEC(T64, ZSTD(1))
        COMMENT 'SQRT: the same of the maintenance rate',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
ORDER BY (subject, version)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'Margin tiers and scalars of an instrument, or the haircut of an asset, from a time on.'
