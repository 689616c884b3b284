-- The survey has found that every value fits; what has changed since then is looked at here once more.
INSERT INTO {db}.{table}
    (order_id, order_date, customer_id, customer_name, employee_id, employee_name, employee_photo_url, product_id, product_name,
     category_name, supplier_name, unit_price, quantity, discount, total_amount, _version, _updated_at, _source_ts_ms, _deleted)
SELECT
    order_id, order_date, customer_id, customer_name, employee_id, employee_name, employee_photo_url, product_id, product_name,
    category_name, supplier_name, unit_price, quantity, discount, total_amount, {row_version}, now('UTC'), source_ts_ms, 0
FROM (
{lines}
)
WHERE order_date IS NOT NULL
  AND NOT throwIf(notEmpty(misfits), 'a value that does not fit order_wide came in during the build: the next build names it')
  AND {is_newest}
SETTINGS join_use_nulls = 0, max_partitions_per_insert_block = 0, insert_deduplicate = 0
