-- The bids of one auction lie together, under the account that was auctioned.
CREATE TABLE IF NOT EXISTS auction_bids (
    event_time DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it happened (UTC, microseconds)',
    account_id String CODEC(ZSTD(1)) COMMENT 'the account',
    bid_id String CODEC(ZSTD(1)) COMMENT 'unique',
    auction_id String CODEC(ZSTD(1)) COMMENT 'the auction',
    bidder String CODEC(ZSTD(1)) COMMENT 'account that bids',
    price Decimal64(8) CODEC(GCD, Delta, ZSTD(1)) COMMENT 'price bid (exact, 8 decimals)',
    quantity Decimal64(8) CODEC(T64, ZSTD(1)) COMMENT 'contracts bid for (exact, 8 decimals)',
    _partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    _offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'its offset there',
    _ingested_at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
ORDER BY (account_id, auction_id, event_time)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'A bid in the auction of an account\'s position.'
