//! What a job costs when it has nothing to do, in books of fifteen months beside empty ones, on the real servers:
//! `cargo bench --bench aging [-- WINDOWS]`.
//!
//! For 2,000,000 windows (14 tables, a run each five minutes) there are 1,000,000 runs, 5,000,000 closed quarantine records, and five
//! consumers that have taken up every window: 10,000,000 acknowledgements, which are 70 rows of `positions` (and 10,000 of `postponed`
//! that are done). All made by INSERT SELECT, and dropped in the end. Every job is run in turns in both, and the medians are shown;
//! the server's half comes from `system.query_log`. CPU is what counts, as the machine may be busy: it ends with 1 if a
//! job takes more than twice the CPU, its own and the server's, and more than 30 ms more.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/it/support/mod.rs"]
#[allow(dead_code, unused_imports)] // The tests' support: a benchmark needs some of it.
mod support;

use std::process::Stdio;
use std::time::Instant;

use support::World;
use support::event::customer;

const ROUNDS: usize = 3;
/// For the INSERTs that fill the books: a server without much memory is enough.
const GENTLY: &str =
    "SETTINGS max_threads = 1, max_insert_threads = 1, max_block_size = 65536, min_insert_block_size_rows = 200000,
     min_insert_block_size_bytes = 100000000";
const CONSUMERS: &str = "['build-order-wide', 'check-integrity', 'check-reconcile', 'check-rules', 'check-volume']";
const SOURCES: &str = "['categories', 'customers', 'customer_customer_demo', 'customer_demographics', 'employee_territories', 'employees', \
     'order_details', 'orders', 'products', 'region', 'shippers', 'suppliers', 'territories', 'us_states']";

/// What is run, with its name in the table.
const JOBS: [(&str, &str, &[&str]); 13] = [
    ("ingest, nothing new", "ingest-customers", &[]),
    ("ingest, one record again", "ingest-customers", &["--offsets", "0:0..1"]),
    ("replay-rejected", "replay-rejected", &[]),
    ("build-order-wide", "build-order-wide", &[]),
    ("check-integrity, new", "check-integrity", &["--scope", "new", "--wait", "0s"]),
    ("check-rules, new", "check-rules", &["--scope", "new", "--wait", "0s"]),
    ("check-reconcile, new", "check-reconcile", &["--scope", "new", "--wait", "0s"]),
    ("check-volume, new", "check-volume", &["--scope", "new"]),
    ("check-volume, last day", "check-volume", &[]),
    ("check-freshness", "check-freshness", &[]),
    ("lag", "lag", &[]),
    ("observe", "observe", &[]),
    ("rejected", "rejected", &[]),
];

/// What a run has cost.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    exit: i32,
    wall_ms: f64,
    cpu_ms: f64,
    server_cpu_ms: f64,
    rows: f64,
    peak_mib: f64,
}

fn main() {
    let windows = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(2_000_000);
    let empty = world("aging_empty");
    let old = world("aging_old");
    fill(&old, windows);
    println!(
        "| job | wall, ms | job's CPU, ms | server's CPU, ms | rows read | server's peak, MiB |\n|---|---|---|---|---|---|"
    );
    let mut too_much = Vec::new();
    for (name, job, args) in JOBS {
        let mut costs = [Vec::new(), Vec::new()];
        for _ in 0..ROUNDS {
            for (world, costs) in [&empty, &old].into_iter().zip(&mut costs) {
                costs.push(cost(world, job, args));
            }
        }
        let [young, aged] = costs.map(median);
        println!(
            "| {name} | {:.0} → {:.0} | {:.0} → {:.0} | {:.0} → {:.0} | {:.0} → {:.0} | {:.1} → {:.1} |",
            young.wall_ms,
            aged.wall_ms,
            young.cpu_ms,
            aged.cpu_ms,
            young.server_cpu_ms,
            aged.server_cpu_ms,
            young.rows,
            aged.rows,
            young.peak_mib,
            aged.peak_mib
        );
        assert_eq!(young.exit, aged.exit, "{name} ends differently");
        let [few, more] = [young, aged].map(|cost| cost.cpu_ms + cost.server_cpu_ms);
        if more > 2.0 * few && more > few + 30.0 {
            too_much.push(name);
        }
    }
    drop((empty, old));
    if !too_much.is_empty() {
        println!("more than twice the cost in empty books: {}", too_much.join(", "));
        std::process::exit(1);
    }
}

/// Books with one run of one table, and with whatever a check of the others finds there.
fn world(name: &str) -> World {
    let world = World::with_topic(name, 1);
    // As PostgreSQL has it: nothing to compare again.
    let row = customer("u", "ALFKI", "Alfreds Futterkiste", 10);
    let row = row.set("contact_title", "Sales Representative".into()).set("fax", "030-0076545".into());
    world.produce(&[row.message()]);
    world.ingest(&[]).expect_exit(0);
    for (_, job, args) in JOBS {
        run(&world, job, args);
    }
    world
}

fn fill(world: &World, windows: u64) {
    let [topic, group, prefix] = [&world.topic, &world.group, &world.name];
    let table = format!("arrayElement({SOURCES}, number % 14 + 1)");
    let ids = format!("replaceAll({table}, '_', '-')");
    let started = Instant::now();
    world.clickhouse(&format!(
        "INSERT INTO northwind_ops.windows (source, group_id, topic, stream, seq, topic_id, partition, generation, mode, start_offset,
                end_offset, written, partitions, token, job, run_id, closed_at)
         WITH (SELECT any(topic_id) FROM northwind_ops.windows) AS known_id
         SELECT {table} AS table_of, concat('{prefix}.ingest-', {ids}), concat('{prefix}.public.', {table}), 0,
                intDiv(number, 14) + 1 + if(table_of = 'customers', 2, 0), known_id, 0, 1, 'plan', 1, 1, 50, 1,
                concat('ingest-', {ids}, '/', known_id, '/1/0/', toString(number), '..', toString(number + 50), '/', hex(sipHash128(number)), '/',
                       toString(generateUUIDv4(number))),
                concat('ingest-', {ids}), toString(generateUUIDv4(number + 1)), now64(3) - toIntervalSecond(({windows} - number) * 21)
         FROM numbers({windows}) {GENTLY}"
    ));
    world.clickhouse(&format!(
        "INSERT INTO northwind_ops.positions (consumer, source, group_id, topic, stream, seq, run_id)
         SELECT arrayJoin({CONSUMERS}), source, group_id, topic, stream, max(seq), 'r' FROM northwind_ops.windows
         GROUP BY source, group_id, topic, stream"
    ));
    world.clickhouse(&format!(
        "INSERT INTO northwind_ops.postponed (consumer, source, group_id, topic, stream, seq, run_id, done)
         SELECT 'check-reconcile', 'customers', '{group}', '{topic}', 0, intDiv(number, 2) * 10 + 1, 'r', number % 2 FROM numbers(20000)"
    ));
    let jobs = "arrayConcat(arrayMap(t -> concat('ingest-', replaceAll(t, '_', '-')), sources), \
         ['replay-rejected', 'build-order-wide', 'observe', 'migrate'])";
    world.clickhouse(&format!(
        "INSERT INTO northwind_ops.runs (run_id, job, status, written, summary, started_at, updated_at)
         WITH {SOURCES} AS sources, {jobs} AS jobs
         SELECT toString(generateUUIDv4()), jobs[number % 18 + 1], 'done', if(number % 180 < 18, 50 + number % 7, 0) AS records,
                concat('{{\"run\":\"x\",\"plan\":{{\"mode\":\"plan\",\"spans\":[]}},\"written\":', toString(records), ',\"filler\":\"', repeat('x', 400), '\"}}'),
                now64(3) - toIntervalSecond((1 + number) * 14 * {scale}) AS started, started + toIntervalSecond(2)
         FROM numbers({}) {GENTLY}",
        windows / 2,
        scale = 2_000_000 / windows.max(1)
    ));
    world.clickhouse(&format!(
        "INSERT INTO northwind_ops.rejected (table, topic, topic_id, partition, offset, key, row_key, payload, headers, record_ts, version, lsn,
                rule, detail, run_id, attempt, status, rejected_at)
         WITH (SELECT any(topic_id) FROM northwind_ops.windows) AS known_id
         SELECT {table}, concat('{prefix}.public.', {table}), known_id, 0, 100 + intDiv(number, 14), 'k', concat('K', toString(number)),
                repeat('x', 200), '[]', now64(3), bitOr(bitShiftLeft(toUInt64(1), 52), bitShiftLeft(100 + intDiv(number, 14), 8)), number,
                'not-in-postgres', 'x', 'r', 2, 'resolved', now64(3) - toIntervalDay(100)
         FROM numbers({}) {GENTLY}",
        windows * 5 / 2
    ));
    let count = |table: &str| world.number(&format!("SELECT count() FROM northwind_ops.{table}"));
    let [ledger, positions, postponed, runs, rejected] =
        ["windows", "positions", "postponed", "runs", "rejected"].map(count);
    println!(
        "{ledger} windows, {positions} positions, {postponed} postponed (done), {runs} runs, {rejected} closed quarantine records: made in {} s\n",
        started.elapsed().as_secs()
    );
}

fn run(world: &World, job: &str, args: &[&str]) -> i32 {
    let mut command = world.command(job, args);
    let ended = command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("starting the job");
    ended.code().unwrap_or(-1)
}

fn cost(world: &World, job: &str, args: &[&str]) -> Cost {
    let since = support::clickhouse("SELECT toString(now64(6))");
    let (started, cpu) = (Instant::now(), children_cpu_ms());
    let exit = run(world, job, args);
    let (wall_ms, cpu_ms) = (started.elapsed().as_secs_f64() * 1000.0, children_cpu_ms() - cpu);
    support::clickhouse("SYSTEM FLUSH LOGS query_log");
    let served = world.clickhouse(&format!(
        "SELECT sum(ProfileEvents['OSCPUVirtualTimeMicroseconds']) / 1000, sum(read_rows), max(memory_usage) / 1048576 FROM system.query_log
         WHERE event_time_microseconds >= '{}' AND type = 'QueryFinish' AND (has(databases, 'northwind_ops') OR has(databases, 'northwind_dw'))",
        since.trim()
    ));
    let served: Vec<f64> = served.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    Cost { exit, wall_ms, cpu_ms, server_cpu_ms: served[0], rows: served[1], peak_mib: served[2] }
}

fn median(mut costs: Vec<Cost>) -> Cost {
    let exit = costs[0].exit;
    let mut middle = |of: fn(&Cost) -> f64| {
        costs.sort_by(|a, b| of(a).total_cmp(&of(b)));
        of(&costs[costs.len() / 2])
    };
    Cost {
        exit,
        wall_ms: middle(|cost| cost.wall_ms),
        cpu_ms: middle(|cost| cost.cpu_ms),
        server_cpu_ms: middle(|cost| cost.server_cpu_ms),
        rows: middle(|cost| cost.rows),
        peak_mib: middle(|cost| cost.peak_mib),
    }
}

/// User and system time of the processes that have been waited for.
fn children_cpu_ms() -> f64 {
    // SAFETY: rusage is plain data, and getrusage fills it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_CHILDREN, &mut usage);
        usage
    };
    let ms = |time: libc::timeval| time.tv_sec as f64 * 1000.0 + time.tv_usec as f64 / 1000.0;
    ms(usage.ru_utime) + ms(usage.ru_stime)
}
