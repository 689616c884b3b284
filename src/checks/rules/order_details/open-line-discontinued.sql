-- Lines of orders that are not shipped yet, of products that are sold no more.
SELECT line.order_id AS order_id, line.product_id AS product_id, product.discontinued AS discontinued
FROM {rows} AS line
INNER JOIN {orders} AS placed ON placed.order_id = line.order_id
INNER JOIN {products} AS product ON product.product_id = line.product_id
WHERE placed.shipped_date IS NULL AND product.discontinued <> 0
