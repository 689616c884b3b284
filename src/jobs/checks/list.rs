//! `--list`: which checks there are, and what each of them is worth.

use crate::checks::catalogue::listed;
use crate::checks::settings::Settings;
use crate::tables::{Pipeline, Table};

/// The list for people: what each check of these jobs looks for, and what its "no" is worth.
pub fn list(jobs: &[&str], settings: &Settings, _pipeline: &'static Pipeline, chosen: &[&'static Table]) -> String {
    let of_jobs = listed().into_iter().filter(|(job, ..)| jobs.contains(job));
    let line = |(job, name, about): (&str, &str, &str)| {
        let usual = settings.severity(name, "");
        let severity = |table: &&'static Table| (table.name, settings.severity(name, table.name));
        let differs = chosen.iter().map(severity).filter(|(_, severity)| *severity != usual);
        let differs: Vec<String> = differs.map(|(table, severity)| format!("; {table}: {}", severity.name())).collect();
        format!("{job:<16} {name:<24} {:<5} {about}{}\n", usual.name(), differs.concat())
    };
    of_jobs.map(line).collect()
}
