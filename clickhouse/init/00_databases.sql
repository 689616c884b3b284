-- The two databases of the pipeline: the warehouse itself and the pipeline's own books.
CREATE DATABASE IF NOT EXISTS northwind_dw ENGINE = Atomic;
CREATE DATABASE IF NOT EXISTS northwind_ops ENGINE = Atomic;
