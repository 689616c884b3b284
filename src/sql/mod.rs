//! How names and texts are written in the SQL of both servers. It asks neither of them, so that tables and rules need not know them.

pub mod clickhouse;
pub mod postgres;
