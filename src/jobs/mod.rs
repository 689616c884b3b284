//! The jobs: one executable, many names. `lockstep JOB …`, or a link named after the job.

pub(crate) mod checks;
mod completions;
mod derived;
mod doctor;
mod generate;
mod ingest;
mod init;
pub(crate) mod lag;
mod link;
mod list;
mod migrate;
mod observe;
mod quarantine;
mod rejected;
mod replay;
mod rules;
mod sync_schema;

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{Arg, ArgMatches, Command, ValueEnum};
use strum::IntoStaticStr;

use crate::cli::say::{say, sayln};
use crate::cli::{Call, JobArgs, Report, Stop};
use crate::exit::Exit;
use crate::pipeline::{self, Origin};
use crate::tables::{Pipeline, Table};

/// A job: its name, its flags, what it does.
pub struct Job {
    /// Name on the command line.
    pub name: String,
    /// One line for lists.
    pub about: String,
    /// Does it belong into a DAG, or is it a tool for people?
    pub kind: Kind,
    command: Command,
    run: Box<dyn Fn(&ArgMatches) -> i32>,
}

/// What a job is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, ValueEnum)]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// Reads a topic into a table.
    Ingest,
    /// Says whether the data is right.
    Check,
    /// Makes a derived table; runs after the ingest jobs.
    Build,
    /// Run by a person or once per deployment.
    Tool,
}

impl Kind {
    /// As the list of jobs says it.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A job with logs, signals, a summary and an exit code.
fn job<A: JobArgs + 'static>(
    pipeline: &'static Pipeline,
    name: &str,
    about: &str,
    examples: &str,
    kind: Kind,
    run: impl Fn(&Call<'_>, A) -> Result<Report> + 'static,
) -> Job {
    let command = with_defaults(A::augment_args(Command::new(name.to_owned())), pipeline)
        .version(crate::VERSION)
        .about(about.to_owned())
        .before_help(format!("Examples:\n{examples}"))
        .after_help(EXIT_CODES);
    let job_name = name.to_owned();
    let run = move |matches: &ArgMatches| match A::from_arg_matches(matches) {
        Ok(args) => run_job(pipeline, &job_name, args, &run),
        Err(error) => error.exit(),
    };
    Job { name: name.to_owned(), about: about.to_owned(), kind, command, run: Box::new(run) }
}

const EXIT_CODES: &str = "Exit codes: 0 done · 1 bug · 2 usage · 10 a check failed · 65 too many rejects · 75 try again · \
                          78 needs a person · 99 nothing to do (--skip-empty) · 143 stopped by SIGTERM, resumable";

fn run_job<A: JobArgs>(
    pipeline: &'static Pipeline,
    name: &str,
    args: A,
    run: &dyn Fn(&Call<'_>, A) -> Result<Report>,
) -> i32 {
    let for_people = args.output().is_for_people();
    let started = args.output().start().and_then(|()| Stop::on_signals());
    let report = match started.and_then(|stop| {
        tracing::info!("pipeline {}: {}", pipeline.spec.name, pipeline.origin);
        run(&Call { job: name, pipeline, stop: &stop }, args)
    }) {
        Ok(report) => report,
        Err(error) => Report::of_error(&error),
    };
    if let Some(error) = report.error() {
        tracing::error!("{name}: {error}");
    }
    if for_people {
        say!("{}", report.told(name));
    } else {
        sayln!("{}", report.line(name));
    }
    report.exit.code()
}

/// For examples: flags that name some of the pipeline's own tables.
fn some_tables(pipeline: &Pipeline, most: usize) -> String {
    pipeline.tables.iter().take(most).map(|table| format!(" --table {}", table.name)).collect()
}

/// A small tool that prints text and needs no servers.
fn tool(
    name: &str,
    about: &str,
    command: fn(Command) -> Command,
    run: impl Fn(&ArgMatches) -> Result<()> + 'static,
) -> Job {
    let run = move |matches: &ArgMatches| {
        restore_sigpipe();
        match run(matches) {
            Ok(()) => Exit::Done.code(),
            Err(error) => {
                eprintln!("error: {error:#}");
                Exit::of(&error).code()
            }
        }
    };
    let built = command(Command::new(name.to_owned()).about(about.to_owned()));
    Job { name: name.to_owned(), about: about.to_owned(), kind: Kind::Tool, command: built, run: Box::new(run) }
}

/// `lockstep rules | head`: when nobody reads any more, a tool ends, as every other does. (Rust ignores SIGPIPE.)
fn restore_sigpipe() {
    // SAFETY: the default action is no handler of ours, and no other thread is running yet.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

fn ingest_job(pipeline: &'static Pipeline, table: &'static Table) -> Job {
    let name = table.ingest_job();
    let about = format!("Bring new changes of {} from Kafka into {}", table.name, table.target);
    job(pipeline, &name, &about, &ingest::examples(&name), Kind::Ingest, move |call, args| {
        ingest::run(call, table, args)
    })
}

/// Every job of a pipeline, by name.
pub fn all(pipeline: &'static Pipeline) -> Vec<Job> {
    let mut jobs: Vec<Job> = pipeline.tables.iter().map(|table| ingest_job(pipeline, table)).collect();
    jobs.extend(derived::jobs(pipeline));
    jobs.extend(checks::jobs(pipeline));
    jobs.extend([
        migrate::job(pipeline),
        observe::job(pipeline),
        doctor::job(pipeline),
        generate::job(pipeline),
        init::job(pipeline),
        lag::job(pipeline),
        completions::job(pipeline),
        link::job(pipeline),
        list::job(pipeline),
        quarantine::job(pipeline),
        rejected::job(pipeline),
        replay::job(pipeline),
        rules::job(pipeline),
        sync_schema::job(pipeline),
    ]);
    jobs.sort_by(|a, b| a.name.cmp(&b.name));
    jobs
}

/// Runs the job named by the executable's own name or by the first argument; returns the exit code.
pub fn main(arguments: impl Iterator<Item = OsString>) -> i32 {
    let arguments: Vec<OsString> = arguments.collect();
    let called_as =
        arguments.first().map(Path::new).and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let origin = Origin::find(pipeline::flag(&arguments), std::env::var_os("PIPELINE"), Path::new(""));
    let called_as = called_as.as_deref().unwrap_or("lockstep");
    match Pipeline::load(origin) {
        Ok(pipeline) => match chosen(&all(pipeline), called_as, arguments) {
            Ok((Some(job), matches)) => (job.run)(&matches),
            Ok((None, _)) => Exit::Usage.code(),
            Err(said) => said.exit(),
        },
        Err(error) => without_pipeline(&error, called_as, arguments),
    }
}

/// The job that the command line names, and its flags.
fn chosen<'j>(
    jobs: &'j [Job],
    called_as: &str,
    arguments: Vec<OsString>,
) -> clap::error::Result<(Option<&'j Job>, ArgMatches)> {
    let named = |name: &str| jobs.iter().find(|job| job.name == name);
    if let Some(job) = named(called_as) {
        return Ok((Some(job), job.command.clone().try_get_matches_from(arguments)?));
    }
    let mut matches = command(jobs).try_get_matches_from(arguments)?;
    Ok(matches.remove_subcommand().map_or((None, matches), |(name, matches)| (named(&name), matches)))
}

/// Help, version and completions need no table: whoever mends the file may ask for them. Everything else needs a file that can be read.
fn without_pipeline(error: &anyhow::Error, called_as: &str, arguments: Vec<OsString>) -> i32 {
    eprintln!("{error:#}");
    let instead = || eprintln!("so this is about the pipeline that is compiled in");
    if let Ok(embedded) = Pipeline::load(Origin::Embedded) {
        match chosen(&all(embedded), called_as, arguments) {
            Err(said) if matches!(said.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
                instead();
                said.exit();
            }
            Ok((Some(job), matches)) if job.name == completions::NAME => {
                instead();
                return (job.run)(&matches);
            }
            _ => {}
        }
    }
    let report = Report::of_error(error);
    sayln!("{}", report.line(called_as));
    report.exit.code()
}

/// The flag that every job has; it was read before the others.
fn pipeline_flag() -> Arg {
    Arg::new("pipeline")
        .long("pipeline")
        .value_name("FILE")
        .env("PIPELINE")
        .global(true)
        .help("The pipeline's file [default: ./lockstep.toml, else the one that is compiled in]")
}

/// Gives the flags that say what the pipeline's file says its values as defaults. A flag that need not be there is asked for by other means.
fn with_defaults(command: Command, pipeline: &Pipeline) -> Command {
    let spec = pipeline.spec;
    let default = |id: &str| -> Option<&'static str> {
        Some(match id {
            "prefix" => spec.topic_prefix.as_str(),
            "postgres_db" => spec.connector.database.as_str(),
            "slot" => spec.connector.slot.as_str(),
            "connector" => spec.connector.name.as_str(),
            "clickhouse_db" => spec.warehouse.database.as_str(),
            "clickhouse_ops_db" => spec.warehouse.ops.as_str(),
            _ => return None,
        })
    };
    command.arg(pipeline_flag()).mut_args(|arg| match default(arg.get_id().as_str()) {
        Some(value) if arg.is_required_set() => arg.required(false).default_value(value),
        _ => arg,
    })
}

/// The whole command line.
fn command(jobs: &[Job]) -> Command {
    Command::new("lockstep")
        .version(crate::VERSION)
        .about("Change-data capture in bounded, exactly-once jobs: PostgreSQL, Debezium and Kafka to ClickHouse")
        .arg(pipeline_flag())
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(EXIT_CODES)
        .subcommands(jobs.iter().map(|job| job.command.clone()))
}
