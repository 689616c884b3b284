//! The ledger, the pipeline's memory (elsewhere: checkpoint table): runs, windows and their numbers, what consumers have taken up,
//! generations of topics, truncates, and the plan that a run makes of it.

mod ack;
mod beside;
mod followers;
mod gaps;
mod generations;
mod installation;
pub(crate) mod job_run;
mod kin;
mod migrations;
mod news;
mod numbers;
mod observations;
pub(crate) mod plain_run;
mod plan;
mod retention;
mod rows_missing;
pub(crate) mod run_rows;
mod runs;
pub mod schema;
mod seq;
mod seq_set;
mod source_ids;
mod spans;
mod stream_key;
mod truncates;
mod unacked_window;
mod unread;
mod untold;
mod versions;
mod windows;

pub use ack::{Consumer, StaysOpen};
pub use followers::{FarBehind, HeldBack};
pub use gaps::RecentGaps;
pub use generations::{Lineage, Lineages};
pub use installation::Installation;
pub use kin::{Kin, Mixed};
pub use migrations::SCHEMA_VERSION;
pub use news::News;
pub use numbers::{Numbers, ReadTo};
pub use observations::{
    AlarmRow, ConnectorRow, LagRow, LastSaid, OpenRecords, QuarantineRow, RestartRow, SetAside, SlotRow, Trend,
};
pub use plan::{LedgerEnd, PartitionState, Start, decide, share};
pub use rows_missing::NewestWindow;
pub use runs::{OpenRun, RecentRun};
pub use spans::{at_offsets, join_closest};
pub use stream_key::StreamKey;
pub use truncates::{MarkAt, TruncateRow, Written};
pub use unacked_window::UnackedWindow;
pub use versions::Versions;
pub use windows::{LedgerRow, Mode, RunRow, Settled, WindowRow};
