-- A block tells how old its rows are: those that are kept for some days only are not missed later.
ALTER TABLE ingest_blocks
    ADD COLUMN IF NOT EXISTS oldest Nullable(DateTime64(6, 'UTC')) CODEC(T64, ZSTD(1))
        COMMENT 'event time of its oldest row in the table (UTC, microseconds); null: not known'
        AFTER refused,
    ADD COLUMN IF NOT EXISTS newest Nullable(DateTime64(6, 'UTC')) CODEC(T64, ZSTD(1))
        COMMENT 'the same of its newest row' AFTER oldest;
