//! One million customer updates through `ingest-customers`, on the real servers: `cargo bench --bench ingest [-- RECORDS]`.
//!
//! 100,000 customers in PostgreSQL, four partitions, messages of about 730 bytes, 1 % of the ids unknown to PostgreSQL. Prints
//! what the targets of `docs/DESIGN.md` are about: records per CPU-second of the job, wall time against the CPU seconds of
//! everything that worked, peak memory. Ratios of one run; the machine may be busy.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/it/support/mod.rs"]
#[allow(dead_code, unused_imports)] // The tests' support: a benchmark needs some of it.
mod support;

use std::time::Instant;

use rdkafka::producer::Producer;
use support::event::customer;
use support::{PATIENCE, World, producer, send};

const CUSTOMERS: u64 = 100_000;
const PARTITIONS: i32 = 4;
const SERVERS: [&str; 3] = ["clickhouse", "kafka", "postgres"];

fn main() {
    let records = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    let world = World::with_topic("bench", PARTITIONS);
    world
        .postgres()
        .batch_execute(&format!(
            "INSERT INTO customers (customer_id, company_name) SELECT 'C' || i, 'Company ' || i FROM generate_series(0, {CUSTOMERS} - 1) AS i;
             ANALYZE customers"
        ))
        .expect("loading customers");
    let bytes = produce(&world, records);
    println!("{records} records of {} bytes on average in {PARTITIONS} partitions", bytes / records);

    let before: Vec<f64> = SERVERS.iter().map(|server| cpu_seconds(server)).collect();
    let started = Instant::now();
    let outcome = world.run("ingest-customers", &[]).expect_exit(0);
    let wall = started.elapsed().as_secs_f64();
    let job = outcome.count("cpu_ms") as f64 / 1000.0;
    let servers: Vec<f64> = SERVERS.iter().zip(before).map(|(server, before)| cpu_seconds(server) - before).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;

    assert_eq!(outcome.count("written") + outcome.count("rejected"), records as i64);
    println!(
        "written {}, rejected {}, windows {}",
        outcome.count("written"),
        outcome.count("rejected"),
        outcome.count("windows")
    );
    println!("records per CPU-second of the job  {:>10.0}", records as f64 / job);
    println!("peak memory of the job, MiB        {:>10}", outcome.count("peak_mib"));
    println!("wall seconds                       {wall:>10.2}");
    println!("CPU seconds of the job             {job:>10.2}");
    for (server, seconds) in SERVERS.iter().zip(&servers) {
        println!("CPU seconds of {server:<12}        {seconds:>10.2}");
    }
    println!("wall / (all CPU seconds / cores)   {:>10.2}", wall / ((job + servers.iter().sum::<f64>()) / cores));
}

fn produce(world: &World, records: u64) -> u64 {
    let producer = producer(&[("linger.ms", "50"), ("batch.size", "1000000"), ("compression.type", "none")]);
    let mut bytes = 0;
    for i in 0..records {
        // A multiplier that is prime to the number of customers visits them all, far apart.
        let id =
            if i % 100 == 99 { format!("X{}", i % 1000) } else { format!("C{}", i.wrapping_mul(7_919) % CUSTOMERS) };
        let event =
            customer("u", &id, &format!("Company {id}, change {i}"), 10_000_000 + i).at((i % PARTITIONS as u64) as i32);
        let message = event.message();
        bytes += message.value.as_ref().map_or(0, Vec::len) as u64;
        send(&producer, &world.topic, &message);
        if i % 20_000 == 0 {
            producer.flush(PATIENCE).expect("flushing the producer");
        }
    }
    producer.flush(PATIENCE).expect("flushing the producer");
    bytes
}

/// User and system time of a server of the local stack, with its children (proc(5), `stat`, fields 14 and 15, in ticks of 10 ms).
fn cpu_seconds(server: &str) -> f64 {
    let state = std::env::var_os("STACK_STATE").map_or_else(|| support::root().join(".stack"), Into::into);
    let pid = std::fs::read_to_string(state.join(format!("run/{server}.pid"))).expect("a server of the local stack");
    let pid = pid.split_whitespace().next().expect("a pid");
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let ticks = |pid: &str| -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        fields.get(11..13).unwrap_or_default().iter().filter_map(|ticks| ticks.parse::<f64>().ok()).sum()
    };
    std::iter::once(pid).chain(children.split_whitespace()).map(ticks).sum::<f64>() / 100.0
}
