//! `observe`: one look at everything, written down in the books. Meant to be run every minute.
//!
//! connector and tasks → slot → which runs are alive → lag of every topic → the quarantine → what derived tables cannot hold → who follows the ledger → write it down →
//! start again what has failed, if asked → what is news → the look's own row in `{ops}.runs`.
//!
//! A server that cannot be asked does not hide the others: it is a problem among the problems, and the look ends with 75. What needs a
//! person is an alarm, and 78, for as long as it is there; `checks.toml` says what it is worth. Whatever mends itself is a problem,
//! and 0.

mod table;

use anyhow::Result;
use serde_json::{Map, Value, json};

use crate::checks::settings::Settings;
use crate::cli::Call;
use crate::cli::Report;
use crate::cli::clock::Clock;
use crate::cli::say::say;
use crate::exit::Exit;
use crate::health::finding::broken;
use crate::health::observe::alarm::Alarm;
use crate::health::observe::args::ObserveArgs;
use crate::health::observe::connector::{self, SeenConnector};
use crate::health::observe::lags::{self, SeenLags};
use crate::health::observe::look::{CLICKHOUSE, Look, POSTGRES};
use crate::health::observe::notes::{self, Notes};
use crate::health::observe::runs::{self, SeenRuns};
use crate::health::observe::slot::{self, SeenSlot};
use crate::health::observe::{consumers, derived, gaps, news, quarantine, rows};
use crate::jobs::{Job, Kind};
use crate::ledger::{OpenRecords, RunRow, run_rows};
use crate::source::{self, LockPlace};
use crate::tables::Pipeline;
use crate::warehouse::Warehouse;

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    let examples =
        "  observe\n  observe --restart-failed\n  observe --restart-failed --restarts-per-hour 1 --lost-after 5m";
    super::job(
        pipeline,
        "observe",
        "Look at connector, slot, runs and lags, and write down what is seen",
        examples,
        Kind::Tool,
        run,
    )
}

/// What it has seen; nothing of what could not be asked.
#[derive(Default)]
struct Seen {
    connector: Option<SeenConnector>,
    slot: Option<SeenSlot>,
    runs: Option<SeenRuns>,
    lags: SeenLags,
    quarantine: Option<Vec<OpenRecords>>,
}

fn run(call: &Call<'_>, args: ObserveArgs) -> Result<Report> {
    let tables = call.pipeline.chosen(&args.tables.table)?;
    let mut look = Look::begin(call, args)?;
    let connector = connector::observe(&mut look);
    let (slot, sessions) = look.at_the_source(connector.as_ref())?;
    let runs = runs::observe(&mut look, sessions.as_ref());
    let slot_name = look.slot_name(connector.as_ref());
    let lags = lags::observe(&mut look, &tables, &slot_name);
    gaps::observe(&mut look, &lags.lags);
    rows::observe(&mut look, &tables);
    let quarantine = quarantine::observe(&mut look);
    derived::observe(&mut look);
    consumers::observe(&mut look);
    let seen = Seen { connector, slot, runs, lags, quarantine };
    if call.stop.asked() {
        return Ok(Report { exit: Exit::Stopped, ..look.report(&seen, 0) });
    }
    if let Err(error) = look.write_down(&seen) {
        look.notes.unseen("writing it down", &broken(&error, CLICKHOUSE));
    }
    let restarts = connector::restart_failed(&mut look, seen.connector.as_ref());
    look.blind_for_long(&seen);
    news::mark(&mut look);
    if let Err(error) = look.warehouse.write_observed("observed_alarms", &look.id, &news::rows(&look)) {
        look.notes.unseen("writing down what was said", &broken(&error, CLICKHOUSE));
    }
    say!("{}", table::table(&seen, &look.notes.problems()));
    Ok(look.close(&seen, restarts))
}

impl Look {
    fn begin(call: &Call<'_>, args: ObserveArgs) -> Result<Look> {
        let Settings { observe, freshness, .. } = Settings::read(args.config.as_deref(), call.pipeline)?;
        let mut look = Look {
            job: call.job.to_owned(),
            pipeline: call.pipeline,
            id: uuid::Uuid::now_v7().to_string(),
            at: Clock::start(),
            dag_run_id: run_rows::dag_run_id(),
            warehouse: Warehouse::new(&args.clickhouse)?,
            installation: None,
            session: None,
            notes: Notes::new(observe.clone()),
            settings: observe,
            freshness,
            args,
        };
        look.installation = run_rows::fit_if_there(&look.warehouse)?;
        Ok(look)
    }

    /// The slot, and every session of the server: those have to be known *before* the runs are read.
    fn at_the_source(
        &mut self,
        connector: Option<&SeenConnector>,
    ) -> Result<(Option<SeenSlot>, Option<source::Sessions>)> {
        let mut client = match source::connect(&self.args.postgres, &source::session_name(&self.job, &self.id)) {
            Ok(client) => client,
            Err(error) => {
                self.notes.unseen("slot and runs", &broken(&error, POSTGRES));
                return Ok((None, None));
            }
        };
        source::share_books(&mut client, &self.warehouse.ops)?;
        // Runs whose sessions are elsewhere would pass for lost.
        if let Some(installation) = &self.installation {
            installation.refuse_other_locks(&self.warehouse.ops, &LockPlace::of(&mut client)?)?;
        }
        let sessions = source::Sessions::now(&mut client)
            .inspect_err(|error| self.notes.unseen("runs", &broken(error, POSTGRES)))
            .ok();
        let slot = slot::observe(self, &mut client, connector);
        self.session = Some(client);
        Ok((slot, sessions))
    }

    pub fn slot_name(&self, connector: Option<&SeenConnector>) -> String {
        let of_pipeline = self.pipeline.spec.connector.slot.as_str();
        let of_connector = || connector.map_or(of_pipeline, |connector| &connector.slot).to_owned();
        self.args.slot.clone().unwrap_or_else(of_connector)
    }

    /// A server that is away for a moment is no news; one that could not be asked at so many looks in a row is.
    fn blind_for_long(&mut self, seen: &Seen) {
        let Some(runs) = seen.runs.as_ref().filter(|_| self.notes.unseens().next().is_some()) else { return };
        let before = self.settings.tries_in_a_row.saturating_sub(1) as usize;
        let looks: Vec<&str> = runs.looks.iter().take(before).map(|look| look.run_id.as_str()).collect();
        let Some(oldest) = runs.looks.get(..before).and_then(<[_]>::last) else { return };
        match self.warehouse.blind_looks(oldest.started_ms, &looks) {
            Ok(blind) if blind == before as u64 => {
                let what: Vec<&str> = self.notes.unseens().map(|note| note.sentence.as_str()).collect();
                let sentence = format!("for {} looks in a row: {}", before + 1, what.join(" | "));
                self.notes.seen(Alarm::TriesInARow, "observe", 0, sentence);
            }
            Ok(_) => {}
            Err(error) => self.notes.unseen("the looks before this one", &broken(&error, CLICKHOUSE)),
        }
    }

    fn write_down(&self, seen: &Seen) -> Result<()> {
        let write = &self.warehouse;
        if let Some(connector) = &seen.connector {
            write.write_observed("observed_connectors", &self.id, &connector.rows(self))?;
        }
        if let Some(slot) = &seen.slot {
            write.write_observed("observed_slots", &self.id, &[slot.row(self)])?;
        }
        if let Some(open) = &seen.quarantine {
            write.write_observed("observed_quarantine", &self.id, &quarantine::rows(self, open))?;
        }
        write.write_observed("observed_lags", &self.id, &lags::rows(self, &seen.lags.lags))
    }

    /// Writes the look's row into the books, and makes the summary. Only now, and only once: a look takes up nothing that another
    /// one would have to finish.
    fn close(&self, seen: &Seen, restarts: u64) -> Report {
        let mut report = self.report(seen, restarts);
        let row: RunRow = run_rows::row(&self.id, &self.job, self.at, Some(report.exit), &report.line(&self.job));
        run_rows::close(&self.warehouse, &row, &mut report);
        report
    }

    fn report(&self, seen: &Seen, restarts: u64) -> Report {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("run", json!(self.id));
        put("healthy", json!(self.notes.notes.is_empty()));
        put("problems", json!(self.notes.problems()));
        let alarm = |note: &notes::Note| json!({"alarm": note.alarm.name(), "of": note.subject, "news": note.is_news});
        put("alarms", self.notes.alarms().map(alarm).collect());
        put("news", json!(self.notes.alarms().filter(|note| note.is_news).count()));
        put("connector", json!(seen.connector.as_ref().map(SeenConnector::json)));
        put("slot", json!(seen.slot.as_ref().map(SeenSlot::json)));
        lags::describe(&seen.lags, &mut put);
        put("runs", json!(seen.runs.as_ref().map(SeenRuns::json)));
        put("quarantine", json!(seen.quarantine.as_deref().map(quarantine::json)));
        put("lost", json!(seen.runs.as_ref().map_or(0, |runs| runs.lost.len())));
        put("restarts", json!(restarts));
        run_rows::describe_resources(self.at, &mut put);
        if let Some(error) = self.notes.error() {
            put("error", json!(error));
        }
        Report { exit: self.notes.exit(), fields }
    }

    pub fn at_ms(&self) -> i64 {
        self.at.started_ms()
    }
}
