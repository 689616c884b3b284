//! `--list`: which checks there are, and what each of them is worth.

use crate::checks::catalogue::{Listed, listed};
use crate::checks::settings::Settings;
use crate::tables::Table;

/// The list for people: what each check of these jobs looks for, and what its "no" is worth.
pub fn list(jobs: &[&str], settings: &Settings, chosen: &[&'static Table]) -> String {
    let of_jobs = listed(chosen).into_iter().filter(|listed| jobs.contains(&listed.job));
    of_jobs.map(|listed| line(&listed, settings, chosen)).collect()
}

fn line(listed: &Listed, settings: &Settings, chosen: &[&'static Table]) -> String {
    let Listed { job, name, table, about } = *listed;
    let of_table = chosen.iter().find(|chosen| Some(chosen.name) == table);
    let usual = of_table.map_or_else(|| settings.usual(name), |table| settings.severity(name, table));
    let severity = |table: &&'static Table| (table.name, settings.severity(name, table));
    let others = chosen.iter().filter(|_| table.is_none()).map(severity);
    let differs = others.filter(|(_, severity)| *severity != usual);
    let differs: Vec<String> = differs.map(|(table, severity)| format!("; {table}: {}", severity.name())).collect();
    let table = table.map(|table| format!("{table}: ")).unwrap_or_default();
    format!("{job:<16} {name:<24} {:<5} {table}{about}{}\n", usual.name(), differs.concat())
}
