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
