use crate::for_each_table;
use crate::old::{Codec, Table};

macro_rules! codecs {
    ($($Table:ident,)*) => {
        /// How a table's rows are read.
        pub fn codec(table: &str) -> Codec {
            match table {
                $(<crate::old::$Table as Table>::SOURCE => Codec::of::<crate::old::$Table>(),)*
                _ => Codec::of::<crate::old::Customers>(),
            }
        }
    };
}
for_each_table!(codecs);
