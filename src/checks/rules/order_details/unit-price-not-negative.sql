-- Lines with a negative price.
SELECT order_id, product_id, unit_price FROM {rows} AS line WHERE unit_price < 0
