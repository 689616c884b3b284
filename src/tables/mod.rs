//! The tables of the pipeline. Adding one = its row file, its SQL file, one line in [`for_each_table`],
//! one word in the connector; a parity test names whatever is missing.

pub mod column;
mod customers;
mod row;

pub use column::{Bpchar, KeyPart, Text};
pub use customers::Customers;
pub(crate) use row::row;
pub use row::{KEY_SEPARATOR, KeyColumn, KeyOf, RowKey, RowOf, SourceRow, System, Table, join_key};

/// Calls a macro with the whole list of tables: the registry.
macro_rules! for_each_table {
    ($then:ident) => {
        $then! {
            Customers,
        }
    };
}
pub(crate) use for_each_table;

macro_rules! all_ddl {
    ($($Table:ident,)*) => {
        /// The DDL of every warehouse table.
        pub fn ddl() -> Vec<&'static str> {
            vec![$(<$Table as Table>::DDL),*]
        }
    };
}
for_each_table!(all_ddl);
