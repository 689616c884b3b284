//! `init`: writes a pipeline's folder for a database, from its catalogue; later, says what has changed there, and takes it in.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use postgres::Client;
use serde_json::{Map, Value, json};

use crate::cli::{Call, JobArgs, OutputArgs, PostgresArgs, Report};
use crate::exit::{Exit, needs_person, usage};
use crate::init::{self, Address, Choice, Draft, Drift, FILE, LeftOut, Names};
use crate::jobs::{Job, Kind};
use crate::pipeline::Origin;
use crate::source::{self, Survey, SurveyedServer, survey};
use crate::tables::Pipeline;
use crate::types::Connector;

/// Flags of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The pipeline's folder [default: a new one with the pipeline's name; with --check and --update the one of the pipeline]
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The database, as postgres://user@host:port/database; the password comes from POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    from: Option<String>,
    /// Only tables of this schema; may be repeated
    #[arg(long = "schema", value_name = "NAME")]
    schemas: Vec<String>,
    /// Only these tables: schema.table, with * for any letters; may be repeated
    #[arg(long = "table", value_name = "PATTERN")]
    tables: Vec<String>,
    /// Not these tables; may be repeated
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// What the pipeline is called: groups, topics, databases [default: as the database]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Only say what the source has and the file does not, and the other way round (exit 10)
    #[arg(long, conflicts_with_all = ["update", "name"])]
    check: bool,
    /// Take in what has changed; comments and lines of your own stay
    #[arg(long, conflicts_with = "name")]
    update: bool,
    #[command(flatten)]
    postgres: PostgresArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl JobArgs for InitArgs {
    fn output(&self) -> &OutputArgs {
        &self.output
    }
}

/// The job.
pub fn job(pipeline: &'static Pipeline) -> Job {
    let examples = "  lockstep init --from postgres://me@db.example.org/shop --schema app --exclude 'app.tmp_*'\n  lockstep init --check\n  lockstep init --update";
    let about = "Write a pipeline for a database from its catalogue";
    super::job(pipeline, "init", about, examples, Kind::Tool, run)
}

fn run(call: &Call<'_>, args: InitArgs) -> Result<Report> {
    if args.check || args.update { compare(call, &args) } else { begin(call, &args) }
}

/// Writes a new folder.
fn begin(call: &Call<'_>, args: &InitArgs) -> Result<Report> {
    let survey = look(call, args)?;
    let database = survey.server.database.clone();
    let pipeline = args.name.clone().unwrap_or_else(|| init::pipeline_name(&database));
    let names = Names { pipeline, database, choice: choice(args) };
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(&names.pipeline));
    if dir.join(FILE).exists() {
        return Err(usage(format!(
            "{} is there: say --check or --update, or name another folder",
            dir.join(FILE).display()
        )));
    }
    let mut draft = Draft::of(&survey, &names.choice, &Connector::default(), &names.own_schema());
    let (text, pipeline) = init::judged(&mut draft, &names)?;
    let mut files = vec![(FILE, text)];
    files.extend(init::files(pipeline, &draft, &address(args), None)?);
    if let Some((name, _)) = files.iter().find(|(name, _)| dir.join(name).exists()) {
        return Err(usage(format!(
            "{} is there, and would be written over: name another folder",
            dir.join(name).display()
        )));
    }
    fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
    for (name, text) in &files {
        write(&dir.join(name), text)?;
    }
    let left_out = draft.all_left_out();
    for it in &left_out {
        tracing::warn!("{}: left out: {it}", call.job);
    }
    for remark in remarks(&survey.server) {
        tracing::warn!("{}: {remark}", call.job);
    }
    tracing::info!(
        "{}: {} tables; what to do next stands in {}",
        call.job,
        draft.tables.len(),
        dir.join("README.md").display()
    );
    Ok(Report { exit: Exit::Done, fields: fields(&dir, &names.pipeline, &draft, &left_out) })
}

/// Compares the folder's file with the source, and takes in what is new if that is asked for.
fn compare(call: &Call<'_>, args: &InitArgs) -> Result<Report> {
    let dir = folder(call, args)?;
    let file = dir.join(FILE);
    let text = fs::read_to_string(&file)
        .with_context(|| format!("reading {}", file.display()))
        .map_err(|error| needs_person(format!("{error:#}")))?;
    let pipeline = Pipeline::load(Origin::Flag(file.clone()))?;
    let asked = choice(args);
    let names = Names {
        pipeline: pipeline.spec.name.to_string(),
        database: pipeline.spec.connector.database.to_string(),
        choice: if asked == Choice::default() { Choice::of_file(&text) } else { asked },
    };
    let survey = look(call, args)?;
    if survey.server.database != names.database {
        return Err(usage(format!(
            "{} is about the database {}, and this one is {}: --from or POSTGRES_DB names another one",
            file.display(),
            names.database,
            survey.server.database
        )));
    }
    let own_schema = pipeline.spec.connector.heartbeat.schema.to_string();
    let mut now = Draft::of(&survey, &names.choice, &pipeline_connector(pipeline), &own_schema);
    init::judged(&mut now, &names)?;
    let drift = init::drift(pipeline, &now);
    let shown: Vec<String> = drift.iter().map(Drift::to_string).collect();
    for it in &shown {
        tracing::warn!("{}: {it}", call.job);
    }
    let mut fields = Map::from_iter([
        ("dir".to_owned(), json!(dir)),
        ("pipeline".to_owned(), json!(names.pipeline)),
        ("differences".to_owned(), json!(shown)),
    ]);
    if args.update {
        let taken = drift.iter().filter(|it| it.is_taken_in()).count();
        if taken > 0 {
            write(&file, &init::update(&text, &drift)?)?;
        }
        // What follows from the file, whoever has changed it.
        let pipeline = Pipeline::load(Origin::Flag(file))?;
        rewrite(&dir, pipeline, &now, &address(args))?;
        let next = next_steps(pipeline, &drift);
        for step in &next {
            tracing::info!("{}: next: {step}", call.job);
        }
        fields.insert("next".to_owned(), json!(next));
        fields.insert("taken_in".to_owned(), json!(taken));
        let rest = drift.len() - taken;
        return Ok(ended(fields, rest, "are left for you: see the lines above"));
    }
    Ok(ended(fields, shown.len(), "differences between the source and the file: `init --update` takes them in"))
}

/// What the servers need to be told when tables have come. Rows that are older than a table's place in the publication are sent when they are asked for.
fn next_steps(pipeline: &Pipeline, drift: &[Drift]) -> Vec<String> {
    let is_new = |relation: &str| drift.iter().any(|it| it.adds() == Some(relation));
    let new: Vec<_> = pipeline.tables.iter().filter(|table| is_new(&table.relation)).collect();
    if new.is_empty() {
        return Vec::new();
    }
    let first =
        ["run source.sql in the source", "put the config of connector.json to Kafka Connect", "lockstep migrate"];
    first.map(str::to_owned).into_iter().chain(new.iter().map(|table| format!("{};", table.send_again()))).collect()
}

fn ended(mut fields: Map<String, Value>, differences: usize, what: &str) -> Report {
    if differences == 0 {
        return Report { exit: Exit::Done, fields };
    }
    fields.insert("error".to_owned(), Value::from(format!("{differences} {what}")));
    Report { exit: Exit::CheckFailed, fields }
}

/// The files that follow from the pipeline's; of the connector's, what follows.
fn rewrite(dir: &Path, pipeline: &Pipeline, now: &Draft, address: &Address) -> Result<()> {
    let connector = fs::read_to_string(dir.join("connector.json")).ok();
    for (name, text) in init::files(pipeline, now, address, connector.as_deref())? {
        write(&dir.join(name), &text)?;
    }
    Ok(())
}

fn look(call: &Call<'_>, args: &InitArgs) -> Result<Survey> {
    let mut client = connect(call, args)?;
    survey(&mut client)
}

fn connect(call: &Call<'_>, args: &InitArgs) -> Result<Client> {
    match &args.from {
        Some(url) => source::connect_to_url(url, call.job),
        None => source::connect(&args.postgres, call.job),
    }
}

fn choice(args: &InitArgs) -> Choice {
    Choice { schemas: args.schemas.clone(), tables: args.tables.clone(), exclude: args.exclude.clone() }
}

/// How the connector reaches the source; it may be another way than this one.
fn address(args: &InitArgs) -> Address {
    let config: Option<postgres::Config> = args.from.as_ref().and_then(|url| url.parse().ok());
    let host = config.as_ref().and_then(|config| match config.get_hosts().first() {
        Some(postgres::config::Host::Tcp(host)) => Some(host.clone()),
        _ => None,
    });
    let port = config.and_then(|config| config.get_ports().first().copied());
    match (host, port) {
        (Some(host), port) => Address { host, port: port.unwrap_or(5432) },
        (None, _) => Address { host: args.postgres.postgres_host.clone(), port: args.postgres.postgres_port },
    }
}

/// The folder that is compared: the one that is named, else that of the pipeline which every job here would run.
fn folder(call: &Call<'_>, args: &InitArgs) -> Result<PathBuf> {
    if let Some(dir) = &args.dir {
        return Ok(dir.clone());
    }
    let folder = call.pipeline.origin.folder();
    folder.ok_or_else(|| usage(format!("there is no {FILE} here: name the pipeline's folder")))
}

fn pipeline_connector(pipeline: &Pipeline) -> Connector {
    pipeline.tables.first().map(|table| table.connector).unwrap_or_default()
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// What capturing would fail by, whatever the tables are.
fn remarks(server: &SurveyedServer) -> Vec<String> {
    let mut remarks = Vec::new();
    if server.wal_level != "logical" {
        remarks.push(format!(
            "wal_level is {}: ALTER SYSTEM SET wal_level = logical, and restart the server; without it no change is sent",
            server.wal_level
        ));
    }
    if server.standby {
        remarks.push("this is a standby: publication and roles are made on the primary".to_owned());
    }
    if server.version < 130_000 {
        remarks.push(format!(
            "PostgreSQL {} is older than 13: changes of partitions cannot be published as those of their table",
            server.version / 10_000
        ));
    }
    if server.encoding == "SQL_ASCII" {
        remarks.push("the database says SQL_ASCII: nobody knows what its bytes above 127 mean, and the connector refuses what is not UTF-8".to_owned());
    }
    remarks
}

fn fields(dir: &Path, name: &str, draft: &Draft, left_out: &[LeftOut]) -> Map<String, Value> {
    let columns: usize =
        draft.tables.iter().map(|table| table.columns.iter().filter(|it| it.read.is_ok()).count()).sum();
    let references: usize = draft.tables.iter().map(|table| table.references.len()).sum();
    let left_out: Vec<Value> =
        left_out.iter().map(|it| json!({"what": it.what, "why": it.why, "instead": it.instead})).collect();
    Map::from_iter([
        ("dir".to_owned(), json!(dir)),
        ("pipeline".to_owned(), json!(name)),
        ("tables".to_owned(), json!(draft.tables.len())),
        ("columns".to_owned(), json!(columns)),
        ("references".to_owned(), json!(references)),
        ("left_out".to_owned(), json!(left_out)),
    ])
}
