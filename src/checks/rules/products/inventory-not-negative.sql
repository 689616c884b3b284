-- Products of which there is, comes or is wanted less than nothing.
SELECT product_id, units_in_stock, units_on_order, reorder_level FROM {rows} AS product
WHERE units_in_stock < 0 OR units_on_order < 0 OR reorder_level < 0
