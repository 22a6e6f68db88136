-- The course of one auction lies together, under the account that was auctioned.
CREATE TABLE IF NOT EXISTS auctions (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    account_id String CODEC(ZSTD(1)) COMMENT 'the account',
    auction_id String CODEC(ZSTD(1)) COMMENT 'unique',
    instrument_id LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'the instrument',
    quantity Decimal64(8) CODEC(T64, ZSTD(1))
        COMMENT 'signed contracts for sale (exact, 8 decimals)',
    opening_price Decimal64(8) CODEC(GCD, Delta, ZSTD(1))
        COMMENT 'price at the start (exact, 8 decimals)',
    floor_price Decimal64(8) CODEC(GCD, Delta, ZSTD(1))
        COMMENT 'worst price that the seller takes: where it ends (exact, 8 decimals)',
    awarded Decimal64(8) CODEC(T64, ZSTD(1)) COMMENT 'contracts awarded so far (exact, 8 decimals)',
    event LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'what this record tells',
    sealed Bool CODEC(ZSTD(1))
        COMMENT 'true: awarded at the close, best bids first; false: to each that meets the price',
    closes DateTime64(6, 'UTC') CODEC(T64, ZSTD(1)) COMMENT 'when it ends (UTC, microseconds)',
    price Nullable(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'price of the award (exact, 8 decimals)',
    bidder Nullable(String) CODEC(ZSTD(1)) COMMENT 'account that is awarded',
    bid_id Nullable(String) CODEC(ZSTD(1)) COMMENT 'its bid',
    award Decimal64(8) CODEC(T64, ZSTD(1))
        COMMENT 'signed contracts of this award (exact, 8 decimals)',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
ORDER BY (account_id, auction_id, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'An auction of a position: its opening, its floor, its awards.'
