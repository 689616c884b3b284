//! PostgreSQL and the real connector: whatever happens to the source, its schema or the connector, the warehouse ends equal.

mod all_tables;
mod debezium;
mod history;
mod read_replica;
mod schema_drift;
mod schema_incompatible;
mod source;
mod source_moves;
mod workload;
