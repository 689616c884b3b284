//! ClickHouse, the warehouse: client, inserts, columns, schema, views.

mod alone;
mod carried;
pub mod chunks;
mod client;
mod columns;
mod derived_column;
mod insert;
mod insert_rows;
mod newest;
mod refusal;
pub(crate) mod schema;
mod shown;
mod stream;
mod views;

pub use crate::sql::clickhouse::{identifier, quote};
pub use carried::{carried_rows, long_values};
pub use client::Warehouse;
pub use columns::{ExistingColumn, Unfit};
pub use derived_column::{DerivedColumn, MissingDefault, has};
pub use insert::InFlight;
pub use insert_rows::RowsInsert;
pub use newest::{key_between, key_in, key_names, key_order, key_text, newest_columns, newest_versions};
pub use shown::{ShownRow, newest_rows, shown_names};
pub use stream::{JsonLines, PLAIN_NUMBERS};
pub use views::view_of;
