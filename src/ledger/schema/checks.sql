-- What the data-quality checks found: history, so that a trend can be seen. Failures of a check are its evidence, row by row.
CREATE TABLE IF NOT EXISTS {ops}.check_results
(
    run_id      String,
    job         LowCardinality(String),
    check_name  LowCardinality(String),
    table       LowCardinality(String),
    scope       LowCardinality(String),
    status      LowCardinality(String) COMMENT 'pass, warn, fail, error or inconclusive',
    measured    Float64 COMMENT 'what the check counted',
    expected    String COMMENT 'what would pass',
    detail      String,
    fence       String COMMENT 'JSON: the moment the result is about',
    dag_run_id  String DEFAULT '' COMMENT 'Airflow''s run, when it started this one',
    started_at  DateTime64(3, 'UTC'),
    finished_at DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (check_name, table, finished_at, run_id)
TTL toDateTime(finished_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS {ops}.check_failures
(
    run_id          String,
    check_name      LowCardinality(String),
    table           LowCardinality(String),
    owner           LowCardinality(String) COMMENT 'source or pipeline: whose fault it is',
    row_key         String,
    column          String,
    source_value    Nullable(String),
    warehouse_value Nullable(String),
    partition       Nullable(Int32) COMMENT 'coordinates of the row''s last event',
    offset          Nullable(Int64),
    detail          String,
    found_at        DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (check_name, table, found_at, run_id)
TTL toDateTime(found_at) + INTERVAL 180 DAY
SETTINGS non_replicated_deduplication_window = 10000;
