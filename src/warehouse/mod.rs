//! ClickHouse, the warehouse: rows, quarantine, ledger, schema.

mod alone;
mod beside;
mod carried;
pub mod chunks;
mod client;
mod columns;
mod extra_column;
mod followers;
mod gaps;
mod generations;
mod insert;
mod installation;
mod landing;
mod ledger;
mod lots;
mod migrations;
mod newest;
mod news;
mod numbers;
mod observations;
mod place;
mod prune;
mod quarantine;
mod rejected;
mod retention;
mod rows_missing;
mod runs;
mod schema;
mod selection;
mod seq;
mod seq_set;
mod shown;
mod source_ids;
mod spans;
mod stream;
mod take_up;
mod truncates;
mod unread;
mod untold;
mod views;

use clickhouse::error::Error;

use crate::cli::Exit;

pub use carried::{carried_rows, long_values};
pub use client::{Warehouse, identifier, quote};
pub use columns::{Column, without_default};
pub use extra_column::{Origin, Untouched, has};
pub use followers::{FarBehind, HeldBack};
pub use gaps::RecentGaps;
pub use generations::{Kin, Lineage, Lineages, Mixed};
pub use insert::{InFlight, Insertion};
pub use installation::Installation;
pub use landing::{Landing, MICROS};
pub use ledger::{LedgerRow, Mode, RunRow, Settled, WindowRow};
pub use lots::Lot;
pub use migrations::{SCHEMA_VERSION, Versions};
pub use newest::{key_between, key_in, key_order, key_text, newest_columns, newest_versions};
pub use news::{News, OpenWindow};
pub use numbers::{Numbers, ReadTo};
pub use observations::{
    AlarmRow, ConnectorRow, LagRow, LastSaid, OpenRecords, QuarantineRow, RestartRow, SlotRow, Trend,
};
pub use place::Place;
pub use quarantine::{Kept, Listed, RuleCount, Shelf};
pub use rejected::{Bytes, Quarantined, RejectedRow, WarningRow};
pub use rows_missing::NewestWindow;
pub use runs::{OpenRun, RecentRun};
pub use schema::BOOKS;
pub use selection::{Portion, Selection};
pub use shown::newest_rows;
pub use spans::{at_offsets, join_closest};
pub use stream::{JsonLines, PLAIN_NUMBERS};
pub use take_up::{Consumer, StaysOpen};
pub use truncates::{MarkAt, TruncateRow, Written};
pub use views::view_of;

/// A server that is down, busy or full comes back; a missing table, wrong password or other schema needs a person.
pub fn exit_of(error: &Error) -> Exit {
    match error {
        Error::Network(_) | Error::TimedOut | Error::Decompression(_) => Exit::TryAgain,
        Error::SchemaMismatch(_) | Error::NotEnoughData | Error::InvalidColumnsHeader(_) => Exit::NeedsPerson,
        Error::BadResponse(text) => match error_code(text) {
            // UNKNOWN_IDENTIFIER, NO_SUCH_COLUMN_IN_TABLE, TYPE_MISMATCH, UNKNOWN_TABLE, UNKNOWN_DATABASE, READONLY,
            // ILLEGAL_COLUMN, REQUIRED_PASSWORD, WRONG_PASSWORD, ACCESS_DENIED, AUTHENTICATION_FAILED, UNKNOWN_USER
            Some(16 | 44 | 47 | 53 | 60 | 81 | 164 | 192 | 193 | 194 | 497 | 516) => Exit::NeedsPerson,
            // SYNTAX_ERROR, ILLEGAL_TYPE_OF_ARGUMENT, CANNOT_READ_ALL_DATA, ILLEGAL_AGGREGATION: our SQL or our bytes
            Some(33 | 43 | 62 | 184) => Exit::Bug,
            _ => Exit::TryAgain,
        },
        _ => Exit::Bug,
    }
}

/// ClickHouse's error number, out of "Code: 60. DB::Exception: …".
fn error_code(text: &str) -> Option<u32> {
    text.split_once("Code: ")?.1.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_judged_by_their_number() {
        let of = |text: &str| exit_of(&Error::BadResponse(text.to_owned()));
        assert_eq!(of("Code: 60. DB::Exception: Table x does not exist. (UNKNOWN_TABLE)"), Exit::NeedsPerson);
        assert_eq!(of("Code: 252. DB::Exception: Too many parts"), Exit::TryAgain);
        assert_eq!(of("<html>502 Bad Gateway</html>"), Exit::TryAgain);
    }
}
