-- Lines about nothing, or less.
SELECT order_id, product_id, quantity FROM {rows} AS line WHERE quantity <= 0
