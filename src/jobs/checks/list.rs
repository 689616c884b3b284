//! `--list`: which checks there are, and what each of them is worth.

use crate::checks::catalogue::{Listed, listed};
use crate::checks::settings::Settings;
use crate::cli::{TextTable, printed};
use crate::tables::Table;

/// The list for people: what each check of these jobs looks for, and what its "no" is worth.
pub fn list(jobs: &[&str], settings: &Settings, chosen: &[&'static Table]) -> String {
    let mut table = TextTable::default();
    for listed in listed(chosen).into_iter().filter(|listed| jobs.contains(&listed.job)) {
        row(&mut table, &listed, settings, chosen);
    }
    printed(&table.lines())
}

fn row(list: &mut TextTable, listed: &Listed, settings: &Settings, chosen: &[&'static Table]) {
    let Listed { job, name, table, about } = *listed;
    let of_table = chosen.iter().find(|chosen| Some(chosen.name) == table);
    let usual = of_table.map_or_else(|| settings.usual(name), |table| settings.severity(name, table));
    let severity = |table: &&'static Table| (table.name, settings.severity(name, table));
    let others = chosen.iter().filter(|_| table.is_none()).map(severity);
    let differs = others.filter(|(_, severity)| *severity != usual);
    let differs: Vec<String> = differs.map(|(table, severity)| format!("; {table}: {}", severity.name())).collect();
    let table = table.map(|table| format!("{table}: ")).unwrap_or_default();
    list.row([job, name, usual.name(), &format!("{table}{about}{}", differs.concat())]);
}
