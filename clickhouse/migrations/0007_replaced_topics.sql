-- Topics that stood side by side with others until another topic came in their place (--replaced): a second row of the topic says so.
ALTER TABLE {ops}.side_by_side
    ADD COLUMN IF NOT EXISTS replaced UInt8 COMMENT 'another topic came in its place' AFTER topic,
    MODIFY ORDER BY (topic, replaced);
