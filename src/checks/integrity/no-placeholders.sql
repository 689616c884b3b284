-- Rows with the words that Debezium sends instead of a long value which a change did not touch.
SELECT {key} FROM {rows} AS found WHERE {is_placeholder} OR {in_other_columns}
