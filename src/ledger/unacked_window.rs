//! A window of the ledger, as a consumer sees it.

use clickhouse::Row;
use serde::Deserialize;

use crate::ledger::stream_key::StreamKey;

/// A window of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Row, Deserialize)]
#[allow(missing_docs)]
pub struct UnackedWindow {
    pub place: StreamKey,
    /// Its number in the stream.
    pub seq: u64,
    pub partition: i32,
    pub start_offset: i64,
    /// One behind the last offset.
    pub end_offset: i64,
    /// TRUNCATE events in it: they touch rows that stand at other offsets.
    pub truncates: u64,
    pub run_id: String,
    /// Origin and reset are rows of the ledger, but no windows.
    pub is_window: bool,
    /// It has been in the ledger for so long that a hole before it will not fill by itself.
    pub is_old: bool,
}
