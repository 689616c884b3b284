-- northwind_ops: what `observe` sees at each look. History for people and alerts: it expires, as `runs` does.
-- A look's rows have its run id, and the look itself is a row of `runs`, whose summary has what was wrong.

-- One row per look for the connector itself, and one for each of its tasks: it says RUNNING even when its only task is dead.
CREATE TABLE IF NOT EXISTS northwind_ops.observed_connectors
(
    run_id      String,
    observed_at DateTime64(3, 'UTC'),
    dag_run_id  String DEFAULT '' COMMENT 'Airflow''s run, when it started this one',
    connector   LowCardinality(String),
    task        Int32 COMMENT '-1 is the connector itself',
    state       LowCardinality(String) COMMENT 'RUNNING, FAILED, PAUSED, STOPPED, UNASSIGNED or RESTARTING',
    worker      LowCardinality(String),
    trace       String DEFAULT '' COMMENT 'why it has failed'
)
ENGINE = MergeTree
ORDER BY (connector, observed_at, task)
TTL toDateTime(observed_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000;

-- The replication slot. A slot that nobody reads keeps WAL until the source's disk is full.
CREATE TABLE IF NOT EXISTS northwind_ops.observed_slots
(
    run_id            String,
    observed_at       DateTime64(3, 'UTC'),
    dag_run_id        String DEFAULT '',
    slot              LowCardinality(String),
    active            UInt8 COMMENT 'does somebody read it?',
    wal_status        LowCardinality(String) COMMENT 'reserved, extended, unreserved or lost',
    retained_bytes    Nullable(Int64) COMMENT 'WAL that PostgreSQL keeps for it; NULL if it is lost',
    confirmed_lsn     Nullable(Int64) COMMENT 'up to where its reader has confirmed that it has everything',
    unconfirmed_bytes Nullable(Int64) COMMENT 'WAL behind that'
)
ENGINE = MergeTree
ORDER BY (slot, observed_at)
TTL toDateTime(observed_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000;

-- How far the group of each topic is behind. A table without rows has no topic, and no row here.
CREATE TABLE IF NOT EXISTS northwind_ops.observed_lags
(
    run_id        String,
    observed_at   DateTime64(3, 'UTC'),
    dag_run_id    String DEFAULT '',
    topic         LowCardinality(String),
    group_id      LowCardinality(String),
    lag           UInt64 COMMENT 'offsets that are not ingested yet',
    lag_seconds   Nullable(UInt64) COMMENT 'age of the oldest of these records; NULL if it could not be read in time',
    disagreements String DEFAULT '' COMMENT 'why the next run would stop: commits and ledger do not fit'
)
ENGINE = MergeTree
ORDER BY (topic, group_id, observed_at)
TTL toDateTime(observed_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000;

-- Restarts by `observe --restart-failed`, each noted down before it is asked for. Those of the last hour are counted.
CREATE TABLE IF NOT EXISTS northwind_ops.connector_restarts
(
    run_id      String,
    observed_at DateTime64(3, 'UTC'),
    dag_run_id  String DEFAULT '',
    connector   LowCardinality(String),
    failed      Array(String) COMMENT 'what had failed: connector, task 0, …'
)
ENGINE = MergeTree
ORDER BY (connector, observed_at)
TTL toDateTime(observed_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000;
