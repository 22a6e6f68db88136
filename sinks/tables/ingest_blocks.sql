-- Read by topic and partition in offset order: where to go on, and whether ranges overlap.
CREATE TABLE IF NOT EXISTS ingest_blocks (
    topic LowCardinality(String) CODEC(ZSTD(1)) COMMENT 'topic it was read from',
    topic_id LowCardinality(String) CODEC(ZSTD(1))
        COMMENT 'identity of the topic; another one after it is deleted and made again',
    partition UInt16 CODEC(ZSTD(1)) COMMENT 'partition it was read from',
    first_offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'first offset seen in the block',
    last_offset UInt64 CODEC(DoubleDelta, ZSTD(1)) COMMENT 'last offset seen in the block',
    rows UInt32 CODEC(T64, ZSTD(1)) COMMENT 'records in the block; offsets may have gaps',
    refused UInt32 CODEC(T64, ZSTD(1)) COMMENT 'those of them that went to sink_refused',
    oldest Nullable(DateTime64(6, 'UTC')) CODEC(T64, ZSTD(1))
        COMMENT 'event time of its oldest row in the table (UTC, microseconds); null: not known',
    newest Nullable(DateTime64(6, 'UTC')) CODEC(T64, ZSTD(1))
        COMMENT 'the same of its newest row',
    crc UInt32 CODEC(ZSTD(1)) COMMENT 'CRC-32 of the block\'s offsets and bytes',
    state LowCardinality(String) CODEC(ZSTD(1))
        COMMENT 'PENDING: about to be inserted; STORED: every row of it is durable',
    at DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(T64, ZSTD(1))
        COMMENT 'when this row was written (UTC, milliseconds)'
)
ENGINE = MergeTree
ORDER BY (topic, topic_id, partition, first_offset)
SETTINGS non_replicated_deduplication_window = 10000
COMMENT 'What the sink set out to insert and what it has inserted, a row a block and state.'
