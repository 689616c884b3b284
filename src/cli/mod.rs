//! What every job shares on the command line: connections, logging, signals, progress, summary.

mod call;
pub(crate) mod clock;
mod connect;
mod duration;
mod logging;
mod output;
mod progress;
mod report;
pub(crate) mod say;
mod side_by_side;
mod signals;
mod stop_at;
mod tables;
mod text_table;

pub use call::Call;
pub use connect::{ClickHouseArgs, ConnectArgs, KafkaArgs, PostgresArgs, ReplicaArgs, Secret};
pub use duration::{age, parse_duration};
pub use logging::{LogFormat, SummaryMode};
pub use output::{JobArgs, OutputArgs};
pub use progress::Progress;
pub use report::Report;
pub use side_by_side::{Declared, SideBySideArgs};
pub use signals::Stop;
pub use stop_at::StopAt;
pub use tables::{PrefixArgs, TablesArgs};
pub use text_table::{TextTable, printed};
