-- Orders whose goods were required before they were ordered.
SELECT order_id, order_date, required_date FROM {rows} AS placed WHERE required_date < order_date
