-- The books say which warehouse they are of, and where its jobs lock. `migrate` writes the row, before it changes anything else.
CREATE TABLE IF NOT EXISTS northwind_ops.installation
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
