-- Orders whose goods were shipped before they were ordered.
SELECT order_id, order_date, shipped_date FROM {rows} AS placed WHERE shipped_date < order_date
