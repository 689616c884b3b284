-- Lines of orders that are not shipped yet, which ask for more than is in stock and on order together.
SELECT line.order_id AS order_id, line.product_id AS product_id, line.quantity AS quantity,
       product.units_in_stock AS units_in_stock, product.units_on_order AS units_on_order
FROM {rows} AS line
INNER JOIN {orders} AS placed ON placed.order_id = line.order_id
INNER JOIN {products} AS product ON product.product_id = line.product_id
WHERE placed.shipped_date IS NULL AND line.quantity > product.units_in_stock + coalesce(product.units_on_order, 0)
