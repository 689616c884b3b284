//! The connector's configuration: the settings on which the jobs rely.

use serde_json::Value;

use super::wanted::Wanted;
use crate::cdc::UNAVAILABLE;
use crate::health::finding::{Finding, fail, ok, warn};
use crate::pipeline::SourceTable;
use crate::pipeline::connector_settings;

/// A check of the connector's configuration.
type Setting = fn(&Wanted, &Value) -> Finding;
/// Every one of them.
pub const SETTINGS: [Setting; 12] =
    [operations, decimals, times, bytes, placeholder, heartbeat, signals, slot, prefix, database, tables, converters];

fn set(wanted: &Wanted, key: &str, value: &str) -> String {
    let (url, name) = (&wanted.args.connect.connect_url, &wanted.args.connect.connector);
    format!(
        r#"curl -X PATCH -H 'Content-Type: application/json' -d '{{"{key}":"{value}"}}' {url}/connectors/{name}/config"#
    )
}

/// As the pipeline's file has it.
fn set_as_written(wanted: &Wanted, key: &str) -> String {
    let settings = connector_settings(wanted.pipeline.spec);
    let value = settings.into_iter().find_map(|(name, value)| value.filter(|_| name == key));
    set(wanted, key, &value.unwrap_or_default())
}

/// Without it a TRUNCATE in the source is invisible.
fn operations(wanted: &Wanted, config: &Value) -> Finding {
    match config["skipped.operations"].as_str() {
        Some("none") => ok("skipped.operations=none: a TRUNCATE is seen"),
        other => fail(
            format!(
                "skipped.operations={}: these operations never reach the warehouse (t is TRUNCATE)",
                other.unwrap_or("t (default)")
            ),
            set(wanted, "skipped.operations", "none"),
        ),
    }
}

/// How numeric and money come.
fn decimals(wanted: &Wanted, config: &Value) -> Finding {
    let expected = wanted.pipeline.spec.connector.decimal_handling.as_ref();
    mode(wanted, config, ("decimal.handling.mode", "precise"), expected)
}

/// How dates and times come.
fn times(wanted: &Wanted, config: &Value) -> Finding {
    let expected = wanted.pipeline.spec.connector.time_precision.as_ref();
    mode(wanted, config, ("time.precision.mode", "adaptive"), expected)
}

/// How bytea comes.
fn bytes(wanted: &Wanted, config: &Value) -> Finding {
    let expected = wanted.pipeline.spec.connector.binary_handling.as_ref();
    mode(wanted, config, ("binary.handling.mode", "bytes"), expected)
}

/// A setting that the decoder depends on, with what the connector does without it.
fn mode(wanted: &Wanted, config: &Value, (key, default): (&str, &str), expected: &str) -> Finding {
    let word = config[key].as_str().unwrap_or(default);
    // In JSON, bytes are base64.
    let in_json = |word| if word == "bytes" { "base64" } else { word };
    if in_json(word) == in_json(expected) {
        return ok(format!("{key}={word}, as the pipeline's file says"));
    }
    fail(
        format!(
            "{key}={word}, and the pipeline's file says {expected}: values are refused, or read as others; set the connector, or the \
             file's [connector]"
        ),
        set(wanted, key, expected),
    )
}

/// By these words the jobs know that a value was not sent.
fn placeholder(wanted: &Wanted, config: &Value) -> Finding {
    match config["unavailable.value.placeholder"].as_str() {
        None | Some(UNAVAILABLE) => ok("unavailable.value.placeholder is Debezium's own"),
        Some(other) => fail(
            format!(
                "unavailable.value.placeholder={other}: these words would be written in place of values that were not sent"
            ),
            set(wanted, "unavailable.value.placeholder", UNAVAILABLE),
        ),
    }
}

/// Without it the slot of an idle database beside a busy one stands still.
fn heartbeat(wanted: &Wanted, config: &Value) -> Finding {
    let number = |key: &str| config[key].as_str().and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    match (config["heartbeat.action.query"].as_str(), number("heartbeat.interval.ms")) {
        (Some(query), every) if !query.is_empty() && every > 0 => {
            ok(format!("heartbeat.action.query runs every {every} ms"))
        }
        (Some(query), _) if !query.is_empty() => warn(
            "heartbeat.action.query is set, but heartbeat.interval.ms is 0: it never runs",
            set(wanted, "heartbeat.interval.ms", "1000"),
        ),
        _ => warn(
            "heartbeat.action.query is not set: when this database is idle and others are busy, WAL piles up and check-reconcile waits for nothing",
            set_as_written(wanted, "heartbeat.action.query"),
        ),
    }
}

/// How a connector is asked to send a table again.
fn signals(wanted: &Wanted, config: &Value) -> Finding {
    match config["signal.data.collection"].as_str() {
        Some(table) => ok(format!("signal.data.collection={table}: a table can be sent again")),
        None => warn(
            "signal.data.collection is not set: no table can be sent again, as after a topic was lost",
            set_as_written(wanted, "signal.data.collection"),
        ),
    }
}

fn slot(_: &Wanted, config: &Value) -> Finding {
    match config["slot.name"].as_str() {
        Some(name) => ok(format!("slot.name={name}")),
        None => warn(
            "slot.name is not set: a second connector on this server would take the same slot, \"debezium\"",
            "set it when the connector is created next; now it would begin with a new snapshot",
        ),
    }
}

fn prefix(wanted: &Wanted, config: &Value) -> Finding {
    let prefix = config["topic.prefix"].as_str().unwrap_or_default();
    if prefix == wanted.args.tables.prefix.prefix {
        return ok(format!("topic.prefix={prefix}, as the jobs expect"));
    }
    let text = format!("topic.prefix={prefix}, but the jobs read {}.*", wanted.args.tables.prefix.prefix);
    warn(text, format!("doctor --prefix {prefix}, or --connector NAME for the connector that is meant"))
}

fn database(wanted: &Wanted, config: &Value) -> Finding {
    let captured = config["database.dbname"].as_str().unwrap_or_default();
    if captured == wanted.args.postgres.postgres_db {
        return ok(format!("database.dbname={captured}, as the jobs' look-ups"));
    }
    warn(
        format!(
            "database.dbname={captured}, but the jobs look up in {}: every row could be missing there",
            wanted.args.postgres.postgres_db
        ),
        format!("POSTGRES_DB={captured}, or --connector NAME for the connector that is meant"),
    )
}

fn tables(wanted: &Wanted, config: &Value) -> Finding {
    let list = config["table.include.list"].as_str().unwrap_or_default();
    let missing: Vec<String> = wanted
        .tables
        .iter()
        .map(|table| {
            let SourceTable { schema, table } = &table.spec.source.value;
            format!("{schema}.{table}")
        })
        .filter(|name| !includes(list, name))
        .collect();
    if missing.is_empty() {
        return ok(format!("table.include.list has the {} table(s)", wanted.tables.len()));
    }
    let longer = format!("{list},{}", missing.join(","));
    fail(format!("table.include.list lacks {}", missing.join(", ")), set(wanted, "table.include.list", &longer))
}

/// Entries are regular expressions: one that is more than a name gets the benefit of the doubt.
fn includes(list: &str, table: &str) -> bool {
    let is_pattern = |entry: &str| entry.contains(['*', '+', '?', '[', '(', '|', '^', '$']);
    let mut entries = list.split(',').map(str::trim);
    list.is_empty() || entries.any(|entry| is_pattern(entry) || entry.replace('\\', "").eq_ignore_ascii_case(table))
}

fn converters(_: &Wanted, config: &Value) -> Finding {
    let other = ["key.converter", "value.converter"].into_iter().find_map(|key| {
        let class = config[key].as_str()?;
        (!class.ends_with(".JsonConverter")).then(|| format!("{key}={class}"))
    });
    match other {
        None => ok("key and value are JSON"),
        Some(other) => fail(
            format!("{other}: the jobs read JSON"),
            "set it to org.apache.kafka.connect.json.JsonConverter, and let the connector start with a new topic prefix",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_include_list_is_read_as_debezium_reads_it() {
        assert!(includes("", "public.customers"));
        assert!(includes("public.orders, public\\.customers", "public.customers"));
        assert!(includes("public\\..*", "public.customers"));
        assert!(!includes("public.orders", "public.customers"));
    }
}
