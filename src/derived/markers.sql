-- A delete marker in every partition that shows a touched row and did not get it in this build: the row has moved to another
-- partition, or it is none any more. Read without FINAL, which would see the row in one partition only.
INSERT INTO {db}.{table} ({key}{partition_columns}, _version, _updated_at, _deleted)
SELECT {key}{any_partition_columns}, {marker_version}, now('UTC'), 1
FROM {db}.{table}
WHERE ({key}) IN {touched}
  AND {is_newest}
GROUP BY {key}{partition}
HAVING max(_version) < {row_version} AND argMax(_deleted, _version) = 0
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0
