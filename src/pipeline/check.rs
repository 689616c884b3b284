//! What can only be seen with all tables side by side: names that two of them have, and where references lead.

use std::collections::HashMap;

use super::name::TopicPrefix;
use super::order::order;
use super::problem::{Report, nearest};
use super::spec::{Connector, ReferenceSpec, SourceTable, TableSpec};
use super::table::{ReadReference, ReadTable};
use super::text::Located;

/// Checks the tables and puts each behind those that it references. `declared` are the names of all tables, of those with
/// problems too.
pub(super) fn tables(read: Vec<ReadTable>, declared: &[Located<String>], report: &Report<'_>) -> Vec<TableSpec> {
    same_source_or_target(&read, report);
    let keys: HashMap<String, Vec<String>> = read
        .iter()
        .map(|table| (table.spec.name.to_string(), table.spec.key.iter().map(ToString::to_string).collect()))
        .collect();
    let mut tables = Vec::new();
    for ReadTable { mut spec, references } in read {
        spec.references =
            references.into_iter().filter_map(|reference| resolve(reference, &keys, declared, report)).collect();
        tables.push(spec);
    }
    in_order(tables)
}

fn in_order(tables: Vec<TableSpec>) -> Vec<TableSpec> {
    let number: HashMap<&str, usize> = tables.iter().enumerate().map(|(i, table)| (table.name.as_str(), i)).collect();
    let parents = |table: &TableSpec| {
        table.references.iter().filter_map(|reference| number.get(reference.table.as_str()).copied()).collect()
    };
    let order = order(&tables.iter().map(parents).collect::<Vec<_>>());
    let mut tables: Vec<Option<TableSpec>> = tables.into_iter().map(Some).collect();
    order.into_iter().filter_map(|i| tables[i].take()).collect()
}

fn same_source_or_target(tables: &[ReadTable], report: &Report<'_>) {
    let mut sources: HashMap<&SourceTable, &TableSpec> = HashMap::new();
    let mut targets: HashMap<&str, &TableSpec> = HashMap::new();
    for ReadTable { spec, .. } in tables {
        let (name, target) = (&spec.name, spec.target.as_str());
        if let Some(other) = sources.insert(&spec.source, spec) {
            let what = format!("{name} and {} read the same table of the source", other.name);
            report.say(&spec.source.at, what, "name another source, or leave one of them out");
        }
        if let Some(other) = targets.insert(target, spec) {
            let what = format!("{name} and {} write to the same table, {target}", other.name);
            report.say(&spec.target.at, what, "name another target");
        }
    }
    for ReadTable { spec, .. } in tables {
        let view = spec.view();
        if let Some(other) = targets.get(view.as_str()) {
            let what = format!("the table {view} of {} has the name of the view of {}", other.name, spec.name);
            report.say(&other.target.at, what, "name another target");
        }
    }
}

/// Topics and tables for the connector's own use are known when `[pipeline]` and `[connector]` are.
pub(super) fn beside_the_connector(
    tables: &[TableSpec],
    prefix: &TopicPrefix,
    connector: &Connector,
    report: &Report<'_>,
) {
    let mut topics: HashMap<String, &TableSpec> = HashMap::new();
    for table in tables {
        let (name, topic) = (table.name.as_str(), table.topic(prefix.as_str()));
        match topics.insert(topic.clone(), table) {
            Some(other) if other.source.value != table.source.value => {
                let what = format!("{name} and {} have the same topic, {topic}", other.name);
                report.say(&table.source.at, what, "rename one of them in the source");
            }
            _ => {}
        }
        for (own, called) in [(&connector.heartbeat, "heartbeat"), (&connector.signal, "signal")] {
            if table.source.value == *own {
                let what = format!("{name} reads the connector's own {called} table");
                report.say(&table.source.at, what, "name another source");
            }
        }
    }
}

/// Brings a reference's columns into the order of the other table's key.
fn resolve(
    reference: ReadReference,
    keys: &HashMap<String, Vec<String>>,
    declared: &[Located<String>],
    report: &Report<'_>,
) -> Option<ReferenceSpec> {
    let ReadReference { mut spec, to } = reference;
    let table = spec.table.as_str();
    let Some(key) = keys.get(table) else {
        if !declared.iter().any(|name| name.value == table) {
            let known = nearest(table, declared.iter().map(|name| name.value.as_str()));
            report.say(
                &spec.table.at,
                format!("the reference {} leads to {table:?}, which is no table here", spec.name),
                known,
            );
        }
        return Some(spec);
    };
    let key_text = key.join(", ");
    if let Some(to) = to {
        if let Some(other) = to.iter().find(|name| !key.contains(&name.value)) {
            let what =
                format!("the reference {} leads to {} of {table}, which is not in its key", spec.name, other.value);
            report.say(&other.at, what, format!("name the key: {key_text}; other columns are not looked up"));
            return None;
        }
        if to.len() == spec.columns.len() {
            let column_for = |part: &String| {
                let place = to.iter().position(|name| name.value == *part)?;
                spec.columns.get(place).cloned()
            };
            spec.columns = key.iter().filter_map(column_for).collect();
        } else {
            let what =
                format!("the reference {} has {} column(s), and {} in to", spec.name, spec.columns.len(), to.len());
            report.say(&spec.name.at, what, format!("name one of these for each column: {key_text}"));
            return None;
        }
    }
    if spec.columns.len() != key.len() {
        let what = format!(
            "the reference {} has {} column(s), the key of {table} has {} ({key_text})",
            spec.name,
            spec.columns.len(),
            key.len()
        );
        report.say(&spec.name.at, what, "name one column for each column of that key, in its order");
        return None;
    }
    Some(spec)
}
