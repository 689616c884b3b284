-- Orders with a negative freight.
SELECT order_id, freight FROM {rows} AS placed WHERE freight < 0
