-- Every value fits, or its row is set aside: what has changed since the survey is looked at here once more.
INSERT INTO {db}.{table} ({columns}, _version, _updated_at, _source_ts_ms, _deleted)
SELECT {columns}, {row_version}, now('UTC'), _source_ts_ms, 0
FROM (
{rows}
)
WHERE {is_newest}
SETTINGS join_use_nulls = 0, max_partitions_per_insert_block = 0, insert_deduplicate = 0
