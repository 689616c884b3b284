-- Rows that point at a row which is not there.
SELECT {key_and_column} FROM {rows} AS child
WHERE {column} IS NOT NULL AND {column} NOT IN (SELECT {parent_key} FROM {parent} AS parent)
