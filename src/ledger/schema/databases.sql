-- The two databases of the pipeline: the warehouse itself and the pipeline's own books.
CREATE DATABASE IF NOT EXISTS {db} ENGINE = Atomic;
CREATE DATABASE IF NOT EXISTS {ops} ENGINE = Atomic;
