//! Kafka: do the brokers answer, are the topics there, are the groups ours alone?

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::consumer::Consumer as _;

use super::connect::Connector;
use super::encryption::kafka_encryption;
use super::report::{DoctorReport, Server};
use super::wanted::{Wanted, dial};
use crate::cli::KafkaArgs;
use crate::health::finding::{Finding, broken, fail, ok, unreachable, warn};
use crate::kafka::{self, Consumer};
use crate::tables::Table;

/// For one request; the jobs' own patience is too long for somebody who waits for a diagnosis.
const TIMEOUT: Duration = Duration::from_secs(3);

struct Cluster {
    brokers: Vec<(String, u16)>,
    topics: Vec<String>,
}

/// Makes the checks.
pub fn check(report: &DoctorReport, wanted: &Wanted, connector: Option<&Connector>, has_rows: &HashMap<&str, bool>) {
    let args = &wanted.args.kafka;
    let put = |check, finding| report.put(Server::Kafka, check, finding);
    let skip = |why| report.skip(Server::Kafka, &["encryption", "advertised", "cluster", "topics", "groups"], why);
    // No group of ours: the doctor commits nothing, and reads nobody's offsets.
    let consumer = match kafka::connect(args, &wanted.pipeline.client("doctor")) {
        Ok(consumer) => consumer,
        Err(error) => {
            put("settings", broken(&error, "correct -X KEY=VALUE or KAFKA_OPTIONS"));
            return skip("there is no client");
        }
    };
    let (found, cluster) = reachable(args, &consumer);
    put("reachable", found);
    if let Some(cluster) = cluster {
        report.check(Server::Kafka, "encryption", kafka_encryption(args));
        if put("advertised", advertised(&cluster)) {
            put("cluster", same_cluster(&consumer, connector));
            put("topics", topics(&cluster, wanted, connector, has_rows));
            report.check(Server::Kafka, "groups", groups(&consumer, wanted));
        } else {
            report.skip(Server::Kafka, &["cluster", "topics", "groups"], "not every broker can be reached");
        }
    } else {
        skip("Kafka does not answer");
    }
    // The process ends soon; librdkafka's orderly goodbye takes 100 ms, or longer without brokers.
    std::mem::forget(consumer);
}

fn reachable(args: &KafkaArgs, consumer: &Consumer) -> (Finding, Option<Cluster>) {
    let fix = "is Kafka running? `make up` starts the local one; else set KAFKA_BOOTSTRAP_SERVERS or --kafka";
    // Refused connections are known at once; librdkafka would go on trying.
    let dialled: Vec<Result<(), String>> = args.kafka.split(',').map(|server| dial_broker(server.trim())).collect();
    if let Some(Err(why)) = dialled.iter().find(|result| result.is_ok()).or(dialled.first()) {
        return (unreachable(why.clone(), fix), None);
    }
    let error = match consumer.fetch_metadata(None, TIMEOUT) {
        Ok(metadata) => {
            let brokers: Vec<(String, u16)> = metadata
                .brokers()
                .iter()
                .map(|b| (b.host().to_owned(), u16::try_from(b.port()).unwrap_or(0)))
                .collect();
            let topics = metadata
                .topics()
                .iter()
                .filter(|topic| topic.error().is_none())
                .map(|topic| topic.name().to_owned())
                .collect();
            return (ok(format!("{} broker(s) at {}", brokers.len(), args.kafka)), Some(Cluster { brokers, topics }));
        }
        Err(error) => error,
    };
    let reasons = reasons(consumer);
    let said = kafka::complaint(consumer);
    let text =
        format!("{} takes connections, but gives no metadata: {error}; {}{said}", args.kafka, reasons.join("; "));
    let refused = reasons.iter().any(|reason| ["uthenti", "SSL", "SASL"].iter().any(|word| reason.contains(word)));
    if refused {
        (
            fail(text, "correct KAFKA_TLS and its files, sasl.* (-X KEY=VALUE, KAFKA_OPTIONS) and KAFKA_SASL_PASSWORD"),
            None,
        )
    } else {
        let fix = "is this Kafka's port, and does it want TLS (KAFKA_TLS=verify-full) or SASL (-X sasl.mechanism=…)? Else look at the broker's log";
        (unreachable(text, fix), None)
    }
}

/// What librdkafka complained about, each once; it hands that over when it is polled.
fn reasons(consumer: &Consumer) -> Vec<String> {
    let mut reasons = Vec::new();
    while let Some(Err(error)) = consumer.poll(Duration::from_millis(50)) {
        let reason = error.to_string();
        if !reasons.contains(&reason) && reasons.len() < 5 {
            reasons.push(reason);
        }
    }
    reasons
}

fn dial_broker(server: &str) -> Result<(), String> {
    let address = server.rsplit_once("://").map_or(server, |(_, address)| address);
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "9092"));
    let port = port.parse().map_err(|_| format!("{server:?} is not HOST:PORT"))?;
    dial(host.trim_start_matches('[').trim_end_matches(']'), port)
}

/// A client talks to the addresses that the brokers name, not to the one it began with.
fn advertised(cluster: &Cluster) -> Finding {
    let failed = cluster.brokers.iter().find_map(|(host, port)| Some((host, port, dial(host, *port).err()?)));
    match failed {
        None => {
            let names: Vec<String> = cluster.brokers.iter().map(|(host, port)| format!("{host}:{port}")).collect();
            ok(format!("every broker can be reached under the address that it gives: {}", names.join(", ")))
        }
        Some((host, port, why)) => unreachable(
            format!("a broker calls itself {host}:{port}, and {why}"),
            "set the broker's advertised.listeners to an address that exists here, or use another of its listeners",
        ),
    }
}

fn same_cluster(consumer: &Consumer, connector: Option<&Connector>) -> Finding {
    let ours = consumer.client().fetch_cluster_id(TIMEOUT).unwrap_or_default();
    match connector {
        Some(connector) if connector.cluster != ours && !ours.is_empty() => fail(
            format!("the jobs read cluster {ours}, Kafka Connect writes to cluster {}", connector.cluster),
            "set KAFKA_BOOTSTRAP_SERVERS to Kafka Connect's cluster, or CONNECT_URL to the other Kafka Connect",
        ),
        Some(_) => ok(format!("{ours}, the same as Kafka Connect's")),
        None => ok(ours),
    }
}

/// Debezium makes a topic with a table's first event: without rows there is none.
fn topics(
    cluster: &Cluster,
    wanted: &Wanted,
    connector: Option<&Connector>,
    has_rows: &HashMap<&str, bool>,
) -> Finding {
    let is_missing =
        |table: &&&'static Table| !cluster.topics.contains(&table.topic(&wanted.args.tables.prefix.prefix));
    let missing: Vec<&&'static Table> = wanted.tables.iter().filter(is_missing).collect();
    let named = |rows: Option<bool>| {
        let tables = missing.iter().filter(|table| has_rows.get(table.name).copied() == rows);
        let names: Vec<String> = tables.map(|table| table.topic(&wanted.args.tables.prefix.prefix)).collect();
        (!names.is_empty()).then(|| format!("there is no topic {}", names.join(", ")))
    };
    let snapshots = connector.is_some_and(|connector| connector.reader.snapshots);
    if let Some(text) = named(Some(true)) {
        return if snapshots {
            warn(format!("{text} yet: the snapshot is not done"), "wait, then run `doctor` again")
        } else {
            let fix = "see the connector's state, its table.include.list and the publication; or give --prefix";
            fail(format!("{text}, though the source has rows"), fix)
        };
    }
    if let Some(text) = named(None) {
        let fix = "first mend PostgreSQL: a table without rows has no topic";
        return warn(format!("{text}; whether the source has rows is not known"), fix);
    }
    if let Some(text) = named(Some(false)) {
        let fix = "nothing to do: Debezium makes a topic with the table's first row";
        return warn(format!("{text} yet: the source has no rows"), fix);
    }
    ok(format!("{} topic(s) {}.*", wanted.tables.len(), wanted.args.tables.prefix.prefix))
}

/// A member that subscribed makes the brokers refuse the jobs' commits.
fn groups(consumer: &Consumer, wanted: &Wanted) -> Result<Finding> {
    for table in &wanted.tables {
        let name = table.group(&wanted.args.tables.prefix.prefix);
        let list = consumer
            .client()
            .fetch_group_list(Some(&name), TIMEOUT)
            .with_context(|| format!("asking for the members of group {name}"))?;
        let Some(member) =
            list.groups().iter().find(|group| group.name() == name).and_then(|group| group.members().first())
        else {
            continue;
        };
        return Ok(fail(
            format!(
                "{} at {} has subscribed to group {name}: the jobs cannot commit",
                member.client_id(),
                member.client_host()
            ),
            format!(
                "stop that program or give it a group of its own; kafka-consumer-groups.sh --describe --members --group {name}"
            ),
        ));
    }
    Ok(ok(format!("nobody has subscribed to {}.ingest-*", wanted.args.tables.prefix.prefix)))
}
