-- Which migrations (clickhouse/migrations) these books have had; the first table that `migrate` makes. Every job compares the highest
-- version with its own. Version 0 says that an installation has begun, and a fresh one is recorded as having had all of them.
CREATE TABLE IF NOT EXISTS {ops}.schema_migrations
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

-- Which warehouse these books are of, and where its jobs lock; the second table that `migrate` makes. The last row counts; those before say
-- where the books belonged earlier (`migrate --moved`).
CREATE TABLE IF NOT EXISTS {ops}.installation
(
    warehouse     String COMMENT 'database of the warehouse tables',
    lock_system   String COMMENT 'system identifier of the PostgreSQL server in which jobs lock; empty if it does not tell',
    lock_database String COMMENT 'its database',
    noted_by      String COMMENT 'version of the executable',
    noted_at      DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY noted_at
SETTINGS non_replicated_deduplication_window = 10000;
