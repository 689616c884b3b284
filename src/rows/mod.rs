//! Rows of tables that are known at run time only: a schema, change events decoded by it straight into RowBinary, and the rows of a window.

mod decoder;
mod envelope;
mod explain;
mod image;
mod schema;
mod store;

pub use decoder::{Change, Decoder, Event};
pub use schema::{Column, Schema};
pub use store::{Row, RowId, Rows};
