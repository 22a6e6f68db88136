-- Auctions tell what happened, when they end, and each award. Rows from before tell openings.
ALTER TABLE auctions
    ADD COLUMN IF NOT EXISTS event LowCardinality(String) DEFAULT 'OPENED' CODEC(ZSTD(1))
        COMMENT 'what this record tells' AFTER awarded,
    ADD COLUMN IF NOT EXISTS sealed Bool CODEC(ZSTD(1))
        COMMENT 'true: awarded at the close, best bids first; false: to each that meets the price'
        AFTER event,
    ADD COLUMN IF NOT EXISTS closes DateTime64(6, 'UTC') CODEC(T64, ZSTD(1))
        COMMENT 'when it ends (UTC, microseconds)' AFTER sealed,
    ADD COLUMN IF NOT EXISTS price Nullable(Decimal64(8)) CODEC(T64, ZSTD(1))
        COMMENT 'price of the award (exact, 8 decimals)' AFTER closes,
    ADD COLUMN IF NOT EXISTS bidder Nullable(String) CODEC(ZSTD(1))
        COMMENT 'account that is awarded' AFTER price,
    ADD COLUMN IF NOT EXISTS bid_id Nullable(String) CODEC(ZSTD(1))
        COMMENT 'its bid' AFTER bidder,
    ADD COLUMN IF NOT EXISTS award Decimal64(8) CODEC(T64, ZSTD(1))
        COMMENT 'signed contracts of this award (exact, 8 decimals)' AFTER bid_id;
