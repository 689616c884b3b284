//! A look: who looks, when, and what is to be said of it.

use crate::cli::clock::Clock;
use crate::health::freshness::Freshness;
use crate::health::observe::args::ObserveArgs;
use crate::health::observe::notes::Notes;
use crate::health::observe::settings::Observe;
use crate::ledger::Installation;
use crate::tables::Pipeline;
use crate::warehouse::Warehouse;

/// A look: who looks, when, and what is to be said of it.
pub struct Look {
    pub job: String,
    pub pipeline: &'static Pipeline,
    pub id: String,
    pub at: Clock,
    pub dag_run_id: String,
    pub args: ObserveArgs,
    pub settings: Observe,
    /// How late a table may be.
    pub freshness: Freshness,
    pub warehouse: Warehouse,
    /// Where the books belong, if the warehouse is there.
    pub installation: Option<Installation>,
    /// PostgreSQL, if it is there; it holds the books until the look is over.
    pub session: Option<postgres::Client>,
    pub notes: Notes,
}

/// What to do about a ClickHouse that does not do as it is asked.
pub const CLICKHOUSE: &str = "is ClickHouse running, and `migrate` done? `doctor` says what is wrong";

/// The same of PostgreSQL.
pub const POSTGRES: &str = "is PostgreSQL running? `doctor` says what is wrong";
