-- Lines whose discount is no share between 0 and the limit.
SELECT order_id, product_id, discount FROM {rows} AS line WHERE discount < 0 OR discount > {discount_limit}
