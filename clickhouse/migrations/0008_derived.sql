-- What a derived table cannot hold is set aside row by row; what a build does again it notes down in tables of its own.
CREATE TABLE IF NOT EXISTS {ops}.derived_rejected
(
    derived     LowCardinality(String),
    key         String COMMENT 'of the derived table, or of the one that it is driven by, as JSON',
    misfits     Array(String),
    build       UInt64,
    rejected_at DateTime64(3, 'UTC') COMMENT 'when this build said so',
    healed      UInt8
)
ENGINE = ReplacingMergeTree(build)
ORDER BY (derived, key)
SETTINGS non_replicated_deduplication_window = 10000;

DROP TABLE IF EXISTS {ops}.touched_lines SYNC;
