//! Looking at a world with `observe`, and what a look says.

use super::{Outcome, World, outcome, root};

/// Looks at the world's customers, with more environment and flags.
pub fn observe_with(world: &World, environment: &[(&str, &str)], args: &[&str]) -> Outcome {
    let own = ["--table", "customers", "--prefix", &world.name];
    let mut command = world.command("observe", &[&own, args].concat());
    outcome(command.envs(environment.iter().copied()).spawn().unwrap())
}

pub fn observe(world: &World, args: &[&str]) -> Outcome {
    observe_with(world, &[], args)
}

/// Settings for which it is of no interest that handmade events are old.
pub const LATE_IS_NO_ALARM: &str = "[observe.severity]\nlate = \"off\"\n";

/// Looks by these settings; what they do not say of severities is `LATE_IS_NO_ALARM`.
pub fn look_by(world: &World, text: &str, args: &[&str]) -> Outcome {
    let severity = if text.contains("[observe.severity]") { "" } else { LATE_IS_NO_ALARM };
    observe(world, &[&["--config", &settings(world, &format!("{text}\n{severity}"))], args].concat())
}

/// What `doctor` says of a check of ClickHouse.
pub fn doctor_line(world: &World, check: &str) -> String {
    let outcome = world.run("doctor", &["--table", "customers"]);
    let is_check = |line: &&str| line.split_whitespace().skip(1).take(2).eq(["clickhouse", check]);
    let line = outcome.stdout.lines().find(is_check);
    line.unwrap_or_else(|| panic!("no {check} in {}", outcome.stdout)).to_owned()
}

/// A file with settings; returns its path.
pub fn settings(world: &World, text: &str) -> String {
    let folder = root().join("target/tmp");
    std::fs::create_dir_all(&folder).unwrap();
    let hash = text.bytes().fold(0_u64, |hash, byte| hash.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let path = folder.join(format!("{}-{hash:x}.toml", world.name));
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

pub fn problems(outcome: &Outcome) -> Vec<&str> {
    outcome.summary["problems"].as_array().unwrap().iter().map(|problem| problem.as_str().unwrap()).collect()
}

/// The names of the alarms.
pub fn alarms(outcome: &Outcome) -> Vec<&str> {
    outcome.summary["alarms"].as_array().unwrap().iter().map(|alarm| alarm["alarm"].as_str().unwrap()).collect()
}

/// One of the problems says all of this.
#[track_caller]
pub fn says(outcome: &Outcome, parts: &[&str]) {
    let told = problems(outcome).iter().any(|problem| parts.iter().all(|part| problem.contains(part)));
    assert!(told, "{parts:?} in {:#?}", problems(outcome));
    assert_eq!(outcome.summary["healthy"], false);
}
