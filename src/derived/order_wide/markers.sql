-- A delete marker in every partition that shows a touched line and did not get its row in this build: the line has moved to
-- another month, or it is no row any more. Read without FINAL, which would see the line in one partition only.
INSERT INTO {db}.order_wide (order_id, product_id, order_date, _version, _updated_at, _deleted)
SELECT order_id, product_id, any(order_date), {marker_version}, now('UTC'), 1
FROM {db}.order_wide
WHERE (order_id, product_id) IN ({touched})
  AND {is_newest}
GROUP BY order_id, product_id, toYYYYMM(order_date)
HAVING max(_version) < {row_version} AND argMax(_deleted, _version) = 0
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0
