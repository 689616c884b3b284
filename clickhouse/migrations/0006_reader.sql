-- Which offsets of a window hold no record, not only how many.
ALTER TABLE northwind_ops.windows
    ADD COLUMN IF NOT EXISTS gap_spans Array(Tuple(Int64, Int64)) COMMENT 'offsets without a record, half-open; the first hundred spans';
