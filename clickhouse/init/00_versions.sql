-- Which migrations (clickhouse/migrations) these books have had; the first table that `migrate` makes. Every job compares the highest
-- version with its own. Version 0 says that an installation has begun, and a fresh one is recorded as having had all of them.
CREATE TABLE IF NOT EXISTS northwind_ops.schema_migrations
(
    version    UInt32,
    warehouse  String COMMENT 'the database whose tables were changed with it; books may have several',
    name       String,
    applied_by String COMMENT 'version of the executable',
    applied_at DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY (warehouse, version)
SETTINGS non_replicated_deduplication_window = 10000;
