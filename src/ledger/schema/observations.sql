-- {ops}: what `observe` sees at each look. History for people and alerts: it expires, as `runs` does.
-- A look's rows have its run id, and the look itself is a row of `runs`, whose summary has what was wrong.

-- One row per look for the connector itself, and one for each of its tasks: it says RUNNING even when its only task is dead.
CREATE TABLE IF NOT EXISTS {ops}.observed_connectors
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
CREATE TABLE IF NOT EXISTS {ops}.observed_slots
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
CREATE TABLE IF NOT EXISTS {ops}.observed_lags
(
    run_id        String,
    observed_at   DateTime64(3, 'UTC'),
    dag_run_id    String DEFAULT '',
    topic         LowCardinality(String),
    group_id      LowCardinality(String),
    lag           UInt64 COMMENT 'offsets that are not ingested yet',
    lag_seconds   Nullable(UInt64) COMMENT 'how long the oldest of these records waits, by the source''s clock; NULL if it could not be read in time',
    late_seconds  Nullable(UInt64) COMMENT 'how late the table is: the source''s clock minus the moment up to which it is complete; NULL if not known',
    disagreements String DEFAULT '' COMMENT 'why the next run would stop: commits and ledger do not fit'
)
ENGINE = MergeTree
ORDER BY (topic, group_id, observed_at)
TTL toDateTime(observed_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000;

-- Restarts by `observe --restart-failed`, each noted down before it is asked for. Those of the last hour are counted.
CREATE TABLE IF NOT EXISTS {ops}.connector_restarts
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

-- The open records of the quarantine at each look. The row without a table is the look itself, with the sum: it is there when nothing is open.
CREATE TABLE IF NOT EXISTS {ops}.observed_quarantine
(
    run_id      String,
    observed_at DateTime64(3, 'UTC'),
    dag_run_id  String DEFAULT '',
    table       LowCardinality(String),
    rule        LowCardinality(String),
    records     UInt64 COMMENT 'open records',
    exhausted   UInt64 COMMENT 'those that were tried so often that nobody tries them again'
)
ENGINE = MergeTree
ORDER BY (observed_at, table, rule)
TTL toDateTime(observed_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000;

-- What needed a person, and what could not be asked (unseen), at each look; said = 1 if it was news.
CREATE TABLE IF NOT EXISTS {ops}.observed_alarms
(
    run_id      String,
    observed_at DateTime64(3, 'UTC'),
    dag_run_id  String DEFAULT '',
    alarm       LowCardinality(String) COMMENT 'as in checks.toml, [observe.severity]',
    subject     String COMMENT 'of what: a job, a topic, table/rule, …',
    size        UInt64 COMMENT 'how much of it; 0 of what has no size',
    said        Bool,
    sentence    String
)
ENGINE = MergeTree
ORDER BY (observed_at, alarm, subject)
TTL toDateTime(observed_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000;
