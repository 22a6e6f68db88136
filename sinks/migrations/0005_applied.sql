-- A decision tells how far each topic of accounts was applied, so that it can be computed anew.
ALTER TABLE margin_state
    ADD COLUMN IF NOT EXISTS _applied String CODEC(ZSTD(1))
        COMMENT 'the offset behind what the decision had applied, by topic; empty: not known'
        AFTER _offset;
ALTER TABLE margin_calls
    ADD COLUMN IF NOT EXISTS _applied String CODEC(ZSTD(1))
        COMMENT 'the offset behind what the decision had applied, by topic; empty: not known'
        AFTER _offset;
ALTER TABLE liquidations
    ADD COLUMN IF NOT EXISTS _applied String CODEC(ZSTD(1))
        COMMENT 'the offset behind what the decision had applied, by topic; empty: not known'
        AFTER _offset;
