//! The command line: names, help, and what goes to which stream.

use std::process::{Command, Output};

use serde_json::Value;

use crate::support::event::customer;
use crate::support::{Outcome, World};

const JOB: &str = "ingest-customers";

fn lockstep(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lockstep")).args(args).output().unwrap()
}

/// Standard output of a call that succeeds and says nothing on stderr.
#[track_caller]
fn said(output: &Output) -> String {
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Two known customers, and one that PostgreSQL does not have, with an escape code in its name.
fn with_three_events(test: &str) -> World {
    let world = World::with_topic(test, 1);
    let ids = ["ALFKI", "\u{1b}[31mX", "ANATR"];
    world.produce(&ids.map(|id| customer("u", id, "v1", 10).message()));
    world
}

#[test]
fn help_opens_with_three_examples() {
    let help = said(&lockstep(&[JOB, "--help"]));
    let opening = "Examples:\n  ingest-customers --max-records 10000\n  ingest-customers --dry-run --since 2h\n  \
                   ingest-customers --offsets 0:1200..1300 --verify\n\nBring new changes of customers from Kafka into dim_customers\n";
    assert!(help.starts_with(opening), "{help}");
    for part in ["Exit codes: 0 done", "78\nneeds a person", "[env: POSTGRES_HOST=", "[default: northwind_dw]"] {
        assert!(help.contains(part), "{part}: {help}");
    }
    for hidden in ["stop-at", "lose-record", "window-records"] {
        assert!(!help.contains(hidden), "{hidden} is for tests");
    }
    assert!(said(&lockstep(&[JOB, "-h"])).lines().count() < help.lines().count());
}

#[test]
fn help_never_shows_a_secret() {
    let output = Command::new(env!("CARGO_BIN_EXE_lockstep"))
        .args([JOB, "--help"])
        .envs([("POSTGRES_PASSWORD", "s3cret"), ("CLICKHOUSE_PASSWORD", "s3cret"), ("KAFKA_SASL_PASSWORD", "s3cret")])
        .output()
        .unwrap();
    assert!(!said(&output).contains("s3cret"));
}

#[test]
fn version_has_the_commit() {
    for args in [&["--version"][..], &[JOB, "--version"]] {
        let version = said(&lockstep(args));
        let commit = version.trim_end().rsplit_once(" (").and_then(|(_, rest)| rest.strip_suffix(')')).unwrap();
        assert!(version.contains(concat!(" ", env!("CARGO_PKG_VERSION"), " (")), "{version}");
        assert!(commit.len() == 12 && commit.chars().all(|c| c.is_ascii_hexdigit()), "{version}");
    }
}

#[test]
fn the_list_of_jobs_is_json() {
    let list: Value = serde_json::from_str(&said(&lockstep(&["jobs"]))).unwrap();
    assert_eq!(["pipeline", "warehouse", "ops"].map(|key| &list[key]), ["northwind", "northwind_dw", "northwind_ops"]);
    let jobs = list["jobs"].as_array().unwrap();
    let ingest = jobs.iter().find(|job| job["name"] == JOB).unwrap();
    assert_eq!(ingest["kind"], "ingest");
    assert_eq!(ingest["about"], "Bring new changes of customers from Kafka into dim_customers");
    assert!(jobs.iter().any(|job| job["name"] == "migrate" && job["kind"] == "tool"));
    let names: Vec<&str> = jobs.iter().map(|job| job["name"].as_str().unwrap()).collect();
    assert!(names.is_sorted(), "{names:?}");
}

#[test]
fn unknown_jobs_and_flags_are_exit_code_2() {
    for (args, why) in [
        (&["ingest-unicorns"][..], "unrecognized subcommand 'ingest-unicorns'"),
        (&[JOB, "--max-record", "5"], "a similar argument exists: '--max-records'"),
        (&[JOB, "extra"], "unexpected argument 'extra'"),
        (&[], "Usage: lockstep [OPTIONS] <COMMAND>"),
    ] {
        let output = lockstep(args);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{args:?}");
        assert!(error.contains(why) && !error.contains('\u{1b}'), "{args:?}: {error}");
    }
}

#[test]
fn a_link_named_after_a_job_is_that_job() {
    let dir = std::env::temp_dir().join(format!("lockstep-link-{}", std::process::id()));
    for round in 0..2 {
        assert_eq!(said(&lockstep(&["link", dir.to_str().unwrap()])), "", "round {round}");
    }
    let linked = |job: &str, args: &[&str]| said(&Command::new(dir.join(job)).args(args).output().unwrap());
    assert!(linked(JOB, &["--help"]).starts_with("Examples:\n  ingest-customers --max-records 10000\n"));
    let list: Value = serde_json::from_str(&linked("jobs", &[])).unwrap();
    for job in list["jobs"].as_array().unwrap() {
        let name = job["name"].as_str().unwrap();
        assert_eq!(std::fs::read_link(dir.join(name)).unwrap().to_str(), Some("lockstep"));
        assert!(linked(name, &["--help"]).contains(&format!("Usage: {name}")), "{name}");
    }
    assert!(linked("lockstep", &["--help"]).contains("Usage: lockstep [OPTIONS] <COMMAND>"));
    std::fs::remove_dir_all(dir).unwrap();
}

#[test]
fn completions_know_the_jobs_and_their_flags() {
    for shell in ["bash", "zsh", "fish"] {
        let script = said(&lockstep(&["completions", shell]));
        assert!(script.contains(JOB) && script.contains("max-records"), "{shell}");
    }
    assert_eq!(lockstep(&["completions", "cobol"]).status.code(), Some(2));
}

/// The summary, which stands alone on stdout.
#[track_caller]
fn summary_alone(outcome: &Outcome) -> &Value {
    assert_eq!(outcome.stdout.lines().count(), 1, "{}", outcome.stdout);
    assert!(outcome.stdout.ends_with("}\n") && outcome.summary["job"] == JOB, "{}", outcome.stdout);
    assert_eq!(outcome.summary["exit"], outcome.exit);
    assert!(!outcome.log.contains('\u{1b}'), "{}", outcome.log);
    &outcome.summary
}

#[test]
fn the_summary_is_one_line_of_json_on_stdout_and_logs_go_to_stderr() {
    let world = with_three_events("streams");
    let outcome = world.run(JOB, &[]).expect_exit(0);
    assert_eq!(summary_alone(&outcome)["written"], 2);
    assert!(
        outcome.log.contains("WARN") && outcome.log.contains(r#""\u{1b}[31mX" is NOT in Postgres: SKIP write"#),
        "{}",
        outcome.log
    );
    let failed = world.run(JOB, &["--clickhouse-port", "1"]).expect_exit(75);
    assert_eq!(summary_alone(&failed)["status"], "try-again");
    assert_eq!(failed.log.matches("ERROR ingest-customers: ").count(), 1, "{}", failed.log);
    assert!(failed.log.contains(failed.error()), "{}", failed.log);
    let failed = world.run(JOB, &["--offsets", "9:0..1"]).expect_exit(2);
    assert_eq!(summary_alone(&failed)["status"], "usage");
}

/// What DockerOperator reads: one stream, and its last line is the summary, however the job ends.
#[test]
fn with_last_line_everything_is_on_stdout_and_the_summary_is_last() {
    let world = with_three_events("last_line");
    let run = |args: &[&str], exit| {
        let outcome = world.run(JOB, &[&["--summary", "last-line"], args].concat()).expect_exit(exit);
        assert_eq!(outcome.log, "", "nothing on stderr");
        assert_eq!(outcome.summary["exit"], exit);
        outcome
    };
    let outcome = run(&[], 0);
    assert_eq!(outcome.stdout.matches("SKIP write").count(), 1);
    assert_eq!(outcome.stdout.matches(r#""schema":1"#).count(), 1);
    for (args, exit) in [
        (&["--clickhouse-port", "1"][..], 75),
        (&["--postgres-port", "1"], 75),
        (&["--offsets", "0:0..99"], 78),
        (&["--offsets", "9:0..1"], 2),
        (&["-X", "no.such.setting=1"], 78),
    ] {
        let outcome = run(args, exit);
        assert!(
            outcome.stdout.lines().count() >= 2 && outcome.stdout.contains("ERROR ingest-customers: "),
            "{}",
            outcome.stdout
        );
        assert!(!outcome.error().is_empty());
    }
}

#[test]
fn log_format_json_gives_json_lines() {
    let mut world = with_three_events("json_log");
    world.environment.push(("LOG_FORMAT".to_owned(), "json".to_owned()));
    for (args, exit, level) in [(&[][..], 0, "WARN"), (&["--clickhouse-port", "1"], 75, "ERROR")] {
        let outcome = world.run(JOB, args).expect_exit(exit);
        let lines: Vec<Value> = outcome.log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert!(
            lines
                .iter()
                .any(|line| line["level"] == level && line["message"].as_str().unwrap().contains(JOB) == (exit == 75))
        );
        for line in &lines {
            assert_eq!(line.as_object().unwrap().keys().collect::<Vec<_>>(), ["ts", "level", "target", "message"]);
            assert!(line["ts"].as_str().unwrap().ends_with('Z'));
        }
    }
}

#[test]
fn a_quiet_run_says_little_and_a_run_without_work_says_so() {
    let world = World::with_topic("quiet", 2);
    world.produce(&[customer("u", "ALFKI", "v1", 10).message(), customer("u", "ANATR", "v1", 11).at(1).message()]);
    let outcome = world.run(JOB, &[]).expect_exit(0);
    assert_eq!(outcome.count("written"), 2);
    assert!(outcome.log.lines().count() <= 5, "{}", outcome.log);
    let outcome = world.run(JOB, &[]).expect_exit(0);
    assert_eq!((summary_alone(&outcome)["status"].as_str(), outcome.count("windows")), (Some("done"), 0));
    let says = format!("{}, group {}: nothing to do, no offset to read\n", world.topic, world.group);
    assert!(outcome.log.ends_with(&says) && outcome.log.lines().count() == 2, "{}", outcome.log);
    assert_eq!(world.run(JOB, &["--skip-empty"]).expect_exit(99).summary["status"], "nothing-to-do");
}

/// Standard output of a job on a terminal.
fn on_a_terminal(world: &World, job: &str, environment: &[(&str, &str)]) -> String {
    let command = world.command(job, &[]);
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_string_lossy().replace('\'', "'\\''")))
        .collect();
    // script(1) gives a program a terminal.
    let line = format!("{} 2> /dev/null", words.join(" "));
    let mut script = Command::new("script");
    script.args(["-q", "-e", "-c", &line, "/dev/null"]).stdin(std::process::Stdio::null());
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).envs(environment.iter().copied());
    String::from_utf8(script.output().unwrap().stdout).unwrap().replace('\r', "")
}

#[test]
fn people_are_told_in_a_sentence_and_programs_in_json() {
    let world = with_three_events("terminal");
    let told = on_a_terminal(&world, JOB, &[]);
    assert!(told.starts_with("ingest-customers: 2 written, 1 rejected in "), "{told}");
    assert!(told.contains("1 rejected not-in-postgres\n") && told.contains("lockstep rejected"), "{told}");
    assert!(on_a_terminal(&world, JOB, &[]).starts_with("ingest-customers: nothing to do"));
    assert!(on_a_terminal(&world, JOB, &[("SUMMARY", "stdout")]).starts_with("{\"schema\":1,"), "asked for");
}

/// Whoever reads may stop; the job does its work and ends as it would have.
#[test]
fn nobody_has_to_read_to_the_end() {
    let world = with_three_events("head");
    for (job, args) in [(JOB, vec![]), ("lag", vec![]), ("rules", vec![])] {
        let mut child = world.command(job, &args).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(!log.contains("panicked") && !log.contains("writing to stdout"), "{job}: {log}");
        // A tool that only prints ends with the reader, as every other does.
        assert!(output.status.code() == Some(0) || job == "rules", "{job}: {:?}: {log}", output.status);
    }
}
