//! The jobs: one executable, many names. `lockstep JOB …`, or a link named after the job.

pub(crate) mod checks;
mod completions;
mod doctor;
mod ingest;
pub(crate) mod lag;
mod link;
mod list;
mod migrate;
mod observe;
mod order_wide;
mod rejected;
mod replay;
mod rules;
mod sync_schema;

use std::ffi::OsString;
use std::path::Path;

use anyhow::Result;
use clap::{ArgMatches, Command};

use crate::cli::{JobArgs, Report, Stop};
use crate::exit::Exit;
use crate::for_each_table;
use crate::old::Table;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        match self {
            Kind::Ingest => "ingest",
            Kind::Build => "build",
            Kind::Check => "check",
            Kind::Tool => "tool",
        }
    }
}

/// A job with logs, signals, a summary and an exit code.
fn job<A: JobArgs + 'static>(
    name: &str,
    about: &str,
    examples: &str,
    kind: Kind,
    run: fn(&str, A, &Stop) -> Result<Report>,
) -> Job {
    let command = A::augment_args(Command::new(name.to_owned()))
        .version(crate::VERSION)
        .about(about.to_owned())
        .before_help(format!("Examples:\n{examples}"))
        .after_help(EXIT_CODES);
    let job_name = name.to_owned();
    let run = move |matches: &ArgMatches| match A::from_arg_matches(matches) {
        Ok(args) => run_job(&job_name, args, run),
        Err(error) => error.exit(),
    };
    Job { name: name.to_owned(), about: about.to_owned(), kind, command, run: Box::new(run) }
}

const EXIT_CODES: &str = "Exit codes: 0 done · 1 bug · 2 usage · 10 a check failed · 65 too many rejects · 75 try again · \
                          78 needs a person · 99 nothing to do (--skip-empty) · 143 stopped by SIGTERM, resumable";

fn run_job<A: JobArgs>(name: &str, args: A, run: fn(&str, A, &Stop) -> Result<Report>) -> i32 {
    let started = args.output().start().and_then(|()| Stop::on_signals());
    let report = match started.and_then(|stop| run(name, args, &stop)) {
        Ok(report) => report,
        Err(error) => Report::of_error(&error),
    };
    if let Some(error) = report.error() {
        tracing::error!("{name}: {error}");
    }
    println!("{}", report.line(name));
    report.exit.code()
}

/// A small tool that prints text and needs no servers.
fn tool(name: &str, about: &str, command: fn(Command) -> Command, run: fn(&ArgMatches) -> Result<()>) -> Job {
    let run = move |matches: &ArgMatches| {
        end_with_the_reader();
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
fn end_with_the_reader() {
    // SAFETY: the default action is no handler of ours, and no other thread is running yet.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

fn ingest_job<T: Table>() -> Job {
    let name = format!("ingest-{}", T::SOURCE.replace('_', "-"));
    let about = format!("Bring new changes of {} from Kafka into {}", T::SOURCE, T::TARGET);
    job::<ingest::IngestArgs>(&name, &about, &ingest::examples(&name), Kind::Ingest, ingest::run::<T>)
}

macro_rules! ingest_jobs {
    ($($Table:ident,)*) => {
        fn ingest_jobs() -> Vec<Job> {
            vec![$(ingest_job::<crate::old::$Table>()),*]
        }
    };
}
for_each_table!(ingest_jobs);

/// Every job, by name.
pub fn all() -> Vec<Job> {
    let mut jobs = ingest_jobs();
    jobs.extend(checks::jobs());
    jobs.extend([
        migrate::job(),
        observe::job(),
        order_wide::job(),
        doctor::job(),
        lag::job(),
        completions::job(),
        link::job(),
        list::job(),
        rejected::job(),
        replay::job(),
        rules::job(),
        sync_schema::job(),
    ]);
    jobs.sort_by(|a, b| a.name.cmp(&b.name));
    jobs
}

/// Runs the job named by the executable's own name or by the first argument; returns the exit code.
pub fn main(arguments: impl Iterator<Item = OsString>) -> i32 {
    let arguments: Vec<OsString> = arguments.collect();
    let called_as =
        arguments.first().map(Path::new).and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let jobs = all();
    if let Some(job) = jobs.iter().find(|job| Some(&job.name) == called_as.as_ref()) {
        return (job.run)(&job.command.clone().get_matches_from(arguments));
    }
    let matches = command(&jobs).get_matches_from(arguments);
    match matches.subcommand() {
        Some((name, matches)) => match jobs.iter().find(|job| job.name == name) {
            Some(job) => (job.run)(matches),
            None => Exit::Usage.code(),
        },
        None => Exit::Usage.code(),
    }
}

/// The whole command line.
fn command(jobs: &[Job]) -> Command {
    Command::new("lockstep")
        .version(crate::VERSION)
        .about("Change-data capture in bounded, exactly-once jobs: PostgreSQL, Debezium and Kafka to ClickHouse")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .after_help(EXIT_CODES)
        .subcommands(jobs.iter().map(|job| job.command.clone()))
}
