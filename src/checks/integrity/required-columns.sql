-- Rows in which a text that must be there is empty, as it is when it was never written.
SELECT {key}, {required} FROM {rows} AS found WHERE {is_empty}
