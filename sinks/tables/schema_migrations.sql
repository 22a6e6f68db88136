-- Read whole, in order of number: which changes the tables have seen.
CREATE TABLE IF NOT EXISTS schema_migrations (
    number UInt32 CODEC(T64, ZSTD(1)) COMMENT 'number of the file, from 1',
    name String CODEC(ZSTD(1)) COMMENT 'name of the file',
    crc UInt32 CODEC(ZSTD(1)) COMMENT 'CRC-32 of the file that was applied',
    created Bool CODEC(ZSTD(1))
        COMMENT 'true: the tables were made new in this state; false: they were changed to it',
    at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
ORDER BY number
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'The changes of the schema that these tables have seen, a row each.'
