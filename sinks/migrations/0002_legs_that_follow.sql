-- A leg tells how many more its account will read of the same transfer.
ALTER TABLE transfers
    ADD COLUMN IF NOT EXISTS more Int64 CODEC(T64, ZSTD(1))
        COMMENT 'legs of this transfer for the same account that follow' AFTER cost;
