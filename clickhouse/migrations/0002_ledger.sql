-- The ledger's rows get numbers without holes in their streams; consumers a number per stream, in place of a list of windows; runs their
-- error, small granules, and a projection of the last start.
--
-- Run from its first statement after every kill: tables are filled beside those that are read, and swapped in. After a swap the same
-- statements read the new table, and make the same of it.

-- What an earlier try has left: half a new table, or a whole old one.
DROP TABLE IF EXISTS {ops}.windows_0002 SYNC;

CREATE TABLE {ops}.windows_0002
(
    source       LowCardinality(String) COMMENT 'source table',
    group_id     LowCardinality(String),
    topic        LowCardinality(String),
    stream       Int32 COMMENT 'the partition of rows that move the group, else -1',
    seq          UInt64 COMMENT 'number in the stream: from 1, without holes',
    topic_id     String,
    partition    Int32,
    generation   UInt16,
    mode         LowCardinality(String) COMMENT 'origin, plan, reset, range, replay or repair',
    start_offset Int64,
    end_offset   Int64,
    written      UInt64,
    rejected     UInt64,
    tombstones   UInt64,
    truncates    UInt64,
    gaps         UInt64,
    gap_spans    Array(Tuple(Int64, Int64)) COMMENT 'offsets without a record, [start, end)',
    partitions   UInt32 COMMENT 'number of partitions of the topic at that time',
    token        String COMMENT 'deduplication token of the window''s rows',
    job          LowCardinality(String),
    run_id       String,
    reason       String DEFAULT '',
    source_id    String DEFAULT '' COMMENT 'system identifier and timeline of the source when the window was closed',
    closed_at    DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'for people: nothing is decided by it',
    INDEX by_time closed_at TYPE minmax GRANULARITY 1,
    PROJECTION ends
    (
        SELECT source, group_id, topic, stream, topic_id,
               max(seq), argMax(end_offset, seq), argMax(generation, seq), argMax(partitions, seq)
        GROUP BY source, group_id, topic, stream, topic_id
    )
)
ENGINE = MergeTree
ORDER BY (source, group_id, topic, stream, seq)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000;

-- Plans, origins and resets keep their order; what moves no group had no number, and is put into the order of time.
INSERT INTO {ops}.windows_0002
    (source, group_id, topic, stream, seq, topic_id, partition, generation, mode, start_offset, end_offset, written, rejected, tombstones,
     truncates, gaps, partitions, token, job, run_id, reason, closed_at)
SELECT table_of, group_id, topic, stream_of,
       row_number() OVER (PARTITION BY table_of, group_id, topic, stream_of ORDER BY old_seq, closed_at, start_offset, token),
       topic_id, partition, generation, mode, start_offset, end_offset, written, rejected, tombstones,
       truncates, gaps, partitions, token, job, run_id, reason, closed_at
FROM
(
    SELECT multiIf(startsWith(job, 'ingest-'), replaceAll(substring(job, 8), '-', '_'),
                   read_by.table != '', read_by.table,
                   splitByChar('.', topic)[-1]) AS table_of,
           if(mode IN ('origin', 'plan', 'reset'), partition, -1) AS stream_of, seq AS old_seq, windows.*
    FROM {ops}.windows AS windows
    LEFT JOIN
    (
        -- A replay or a repair does not say its table; the jobs that have read its topic do.
        SELECT topic, any(replaceAll(substring(job, 8), '-', '_')) AS table
        FROM {ops}.windows
        WHERE startsWith(job, 'ingest-')
        GROUP BY topic
    ) AS read_by ON read_by.topic = windows.topic
)
SETTINGS max_bytes_before_external_sort = 300000000, max_insert_threads = 1, max_threads = 1, max_block_size = 8192,
         min_insert_block_size_rows = 100000, min_insert_block_size_bytes = 50000000;

CREATE TABLE IF NOT EXISTS {ops}.positions
(
    consumer LowCardinality(String) COMMENT '`(pruned)`: up to there the ledger''s rows were removed',
    source   LowCardinality(String),
    group_id LowCardinality(String),
    topic    LowCardinality(String),
    stream   Int32,
    seq      UInt64,
    run_id   String
)
ENGINE = ReplacingMergeTree(seq)
ORDER BY (consumer, source, group_id, topic, stream)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS {ops}.postponed
(
    consumer LowCardinality(String),
    source   LowCardinality(String),
    group_id LowCardinality(String),
    topic    LowCardinality(String),
    stream   Int32,
    seq      UInt64,
    run_id   String,
    done     UInt8
)
ENGINE = ReplacingMergeTree(done)
ORDER BY (consumer, source, group_id, topic, stream, seq)
SETTINGS non_replicated_deduplication_window = 10000;

-- Gone, if an earlier try came that far: then the two tables above have what it said.
CREATE TABLE IF NOT EXISTS {ops}.consumed (consumer LowCardinality(String), token String) ENGINE = MergeTree ORDER BY (consumer, token);

-- Who has taken up which row: a bit per consumer.
DROP TABLE IF EXISTS {ops}.taken_0002 SYNC;

CREATE TABLE {ops}.taken_0002
(
    source    LowCardinality(String),
    group_id  LowCardinality(String),
    topic     LowCardinality(String),
    stream    Int32,
    seq       UInt64,
    is_window Bool,
    consumers UInt64
)
ENGINE = MergeTree
ORDER BY (source, group_id, topic, stream, seq);

INSERT INTO {ops}.taken_0002
WITH (SELECT arraySort(groupUniqArray(toString(consumer))) FROM {ops}.consumed) AS names
SELECT source, group_id, topic, stream, seq, mode NOT IN ('origin', 'reset'), noted.consumers
FROM {ops}.windows_0002 AS ledger
LEFT JOIN
(
    SELECT sipHash128(token) AS hash, groupBitOr(bitShiftLeft(toUInt64(1), indexOf(names, consumer) - 1)) AS consumers
    FROM {ops}.consumed
    GROUP BY hash
) AS noted ON sipHash128(ledger.token) = noted.hash
SETTINGS max_threads = 2;

-- A consumer stands at the last row that it has taken up.
INSERT INTO {ops}.positions (consumer, source, group_id, topic, stream, seq, run_id)
WITH (SELECT arraySort(groupUniqArray(toString(consumer))) FROM {ops}.consumed) AS names
SELECT names[nth] AS consumer, source, group_id, topic, stream, max(seq), 'migration 2'
FROM {ops}.taken_0002
ARRAY JOIN range(1, length(names) + 1) AS nth
WHERE bitTest(consumers, nth - 1)
GROUP BY consumer, source, group_id, topic, stream;

-- What it has left out below that.
INSERT INTO {ops}.postponed (consumer, source, group_id, topic, stream, seq, run_id, done)
WITH (SELECT arraySort(groupUniqArray(toString(consumer))) FROM {ops}.consumed) AS names
SELECT positions.consumer, taken.source, taken.group_id, taken.topic, taken.stream, taken.seq, 'migration 2', 0
FROM {ops}.taken_0002 AS taken
INNER JOIN
(
    SELECT consumer, source, group_id, topic, stream, max(seq) AS last_seq
    FROM {ops}.positions
    WHERE run_id = 'migration 2' AND consumer IN (SELECT consumer FROM {ops}.consumed)
    GROUP BY consumer, source, group_id, topic, stream
) AS positions USING (source, group_id, topic, stream)
WHERE taken.is_window AND taken.seq < positions.last_seq AND NOT bitTest(taken.consumers, indexOf(names, positions.consumer) - 1);

EXCHANGE TABLES {ops}.windows AND {ops}.windows_0002;

DROP TABLE IF EXISTS {ops}.windows_0002 SYNC;

DROP TABLE IF EXISTS {ops}.taken_0002 SYNC;

DROP TABLE IF EXISTS {ops}.runs_0002 SYNC;

CREATE TABLE {ops}.runs_0002
(
    run_id      String,
    job         LowCardinality(String),
    topic       String DEFAULT '',
    group_id    String DEFAULT '',
    status      LowCardinality(String),
    exit_code   Int16 DEFAULT 0,
    written     UInt64 DEFAULT 0,
    rejected    UInt64 DEFAULT 0,
    tombstones  UInt64 DEFAULT 0,
    truncates   UInt64 DEFAULT 0,
    gaps        UInt64 DEFAULT 0,
    summary     String DEFAULT '' COMMENT 'the run''s JSON summary, as printed',
    error       String DEFAULT '' COMMENT 'why it did not end well, as printed',
    host        String DEFAULT '',
    version     LowCardinality(String) DEFAULT '',
    dag_run_id  String DEFAULT '' COMMENT 'Airflow''s run, when it started this one',
    started_at  DateTime64(3, 'UTC'),
    updated_at  DateTime64(3, 'UTC'),
    PROJECTION last (SELECT job, max(started_at) GROUP BY job)
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY (job, started_at, run_id)
TTL toDateTime(started_at) + INTERVAL 180 DAY
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000, deduplicate_merge_projection_mode = 'rebuild';

INSERT INTO {ops}.runs_0002
    (run_id, job, topic, group_id, status, exit_code, written, rejected, tombstones, truncates, gaps, summary, error, host, version,
     dag_run_id, started_at, updated_at)
SELECT run_id, job, topic, group_id, status, exit_code, written, rejected, tombstones, truncates, gaps, summary,
       JSONExtractString(summary, 'error'), host, version, dag_run_id, started_at, updated_at
FROM {ops}.runs
SETTINGS max_insert_threads = 1, max_threads = 2;

EXCHANGE TABLES {ops}.runs AND {ops}.runs_0002;

DROP TABLE IF EXISTS {ops}.runs_0002 SYNC;

-- Last: as long as it is there, everything above can be made again.
DROP TABLE IF EXISTS {ops}.consumed SYNC;
