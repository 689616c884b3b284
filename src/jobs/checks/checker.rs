//! What a run of checks works with.

use std::time::Duration;

use anyhow::Result;
use postgres::Client;

use crate::cli::Stop;
use crate::jobs::checks::args::CheckArgs;
use crate::jobs::checks::settings::Settings;
use crate::source;
use crate::warehouse::Warehouse;

/// The connector confirms its place in the log every second or two. What differs is worth that much, even with `--wait 0s`.
const GRACE: Duration = Duration::from_secs(5);

/// The servers, the settings, and how much patience is left.
pub struct Checker<'s> {
    /// The job's name.
    pub job: String,
    /// Flags.
    pub args: CheckArgs,
    /// Severities and limits.
    pub settings: Settings,
    /// ClickHouse.
    pub warehouse: Warehouse,
    /// Asked to stop?
    pub stop: &'s Stop,
    /// How long a table may wait for the connector, and for its ingest job. What was waited for in vain is not waited for again.
    pub patience: Patience,
    client: Client,
}

/// See [`Checker::patience`].
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// With the connector.
    pub capture: Duration,
    /// With the ingest job.
    pub ingest: Duration,
}

impl<'s> Checker<'s> {
    /// Reads the settings and connects.
    ///
    /// # Errors
    /// The settings are wrong (78); PostgreSQL is not there, or refuses.
    pub fn open(job: &str, args: CheckArgs, stop: &'s Stop) -> Result<Checker<'s>> {
        let settings = Settings::read(args.config.as_deref())?;
        let warehouse = Warehouse::new(&args.clickhouse)?;
        let client = source::connect(&args.postgres, job)?;
        let patience = Patience { capture: args.wait.max(GRACE), ingest: args.wait };
        Ok(Checker { job: job.to_owned(), args, settings, warehouse, stop, patience, client })
    }

    /// PostgreSQL; connected again if the session was lost meanwhile.
    ///
    /// # Errors
    /// The server is not there, or refuses.
    pub fn source(&mut self) -> Result<&mut Client> {
        if self.client.is_closed() {
            self.client = source::connect(&self.args.postgres, &self.job)?;
        }
        Ok(&mut self.client)
    }
}
