-- What `observe` needs to know what needs a person: the quarantine's open records without reading the closed ones, how late each
-- table is, and what was said before.

ALTER TABLE {ops}.rejected ADD INDEX IF NOT EXISTS by_status status TYPE set(4) GRANULARITY 1;

ALTER TABLE {ops}.rejected MATERIALIZE INDEX by_status SETTINGS mutations_sync = 1;

ALTER TABLE {ops}.observed_lags
    ADD COLUMN IF NOT EXISTS late_seconds Nullable(UInt64)
    COMMENT 'how late the table is: the source''s clock minus the moment up to which it is complete; NULL if not known' AFTER lag_seconds;

ALTER TABLE {ops}.observed_lags
    COMMENT COLUMN lag_seconds 'how long the oldest of these records waits, by the source''s clock; NULL if it could not be read in time';

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
