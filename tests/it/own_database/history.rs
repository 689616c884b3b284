//! The promise, for a database that nobody has described: however it changes, and wherever runs and builds are killed, at the end the warehouse is
//! what PostgreSQL is, and so is a table that is derived from it. More seeds: `OWN_SEEDS=5,6 cargo test --test it own_database::history`.

use std::fs;

use crate::support::own_database::OwnDatabase;
use crate::support::random::Random;
use crate::support::{freezes, kill, outcome};

const STEPS: usize = 30;
const TRANSACTIONS: usize = 8;

/// Where a run is killed; see the crash table of `docs/DESIGN.md`.
const POINTS: [&str; 7] =
    ["locked", "plan-committed", "validated", "rows-inserted", "truncates-applied", "ledger-written", "committed"];
/// Where a build is.
const BUILD_POINTS: [&str; 5] =
    ["touched-written", "members-noted", "members-written", "markers-written", "rows-written"];

/// What is sold by day and state: an order leaves its row when it changes either.
const DERIVED: &str = r#"
[derived.order_days]
about = "Orders by day and state"
target = "order_days"
driven_by = "sales_more_order"
sql = "order_days.sql"
membership = "members.sql"
key = ["day", "state"]
source_time = "when the source committed the newest change of one of the orders"
columns.day    = "Date"
columns.state  = "String"
columns.orders = "UInt32"
columns.total  = "Decimal(18, 2)"
touched_by.sales_more_order = "SELECT No, at FROM {db}.sales_more_order WHERE {rows}"
"#;
const ORDER_DAYS: &str = "
SELECT member.day AS day, member.state AS state, count() AS orders, sum(placed.total) AS total,
       max(placed._source_ts_ms) AS _source_ts_ms
FROM {members} AS member
INNER JOIN
(
    SELECT No, at, total, _source_ts_ms FROM {db}.sales_more_order FINAL WHERE (No, at) IN (SELECT No, at FROM {members})
) AS placed ON placed.No = member.No AND placed.at = member.at
GROUP BY day, state
";
const MEMBERS: &str = "
SELECT No, at, toDate(at, 'UTC') AS day, state FROM {db}.sales_more_order FINAL WHERE (No, at) IN {keys}
";
const IN_SOURCE: &str = r#"
SELECT string_agg(format(E'%s\t%s\t%s\t%s\n', to_char(day, 'YYYY-MM-DD'), state, orders, total), '' ORDER BY day, state COLLATE "C") FROM
(SELECT (at AT TIME ZONE 'UTC')::date AS day, state::text, count(*) AS orders, sum(total) AS total
 FROM "Sales & More"."Order" GROUP BY 1, 2) AS days"#;

/// A statement of the shop's, which no constraint forbids.
fn statement(random: &mut Random) -> String {
    let (n, m) = (random.below(200) + 1, random.below(60) + 1);
    match random.below(16) {
        0 => format!(r#"UPDATE "Sales & More"."Order" SET total = total + {m}, state = 'in work' WHERE "No" = 'ä{n}'"#),
        1 => format!(
            r#"UPDATE "Sales & More"."Order" SET at = at + interval '{m} days' WHERE "No" = 'ä{n}' AND NOT EXISTS (SELECT FROM "Sales & More"."Line.Item" WHERE order_no = "No")"#
        ),
        2 => format!(r#"DELETE FROM "Sales & More"."Order" WHERE "No" = 'ä{n}'"#),
        3 => format!(
            r#"INSERT INTO "Sales & More"."Order" ("No", at, total, seller) SELECT 'ä{n}', '2024-03-01 12:00+00'::timestamptz + interval '{m} hours', {m}, md5('{m}')::uuid
               WHERE EXISTS (SELECT FROM app."user" WHERE "order" = md5('{m}')::uuid) ON CONFLICT DO NOTHING"#
        ),
        4 => format!(
            r#"INSERT INTO "Sales & More"."Line.Item" SELECT "No", at, {m}, 'random', {n}.5, B'010' FROM "Sales & More"."Order" WHERE "No" = 'ä{n}' ON CONFLICT (order_at, order_no, n) DO UPDATE SET price = NULL"#
        ),
        5 => format!(r#"DELETE FROM "Sales & More"."Line.Item" WHERE n = {}"#, m % 4),
        6 => format!(
            r#"UPDATE app."user" SET "select" = 'changed {n}', about = about || jsonb_build_object('k', {m}) WHERE "order" = md5('{m}')::uuid"#
        ),
        7 => format!("UPDATE app.home SET area = {n}.25, owner = NULL WHERE id = {m}"),
        8 => format!(
            "INSERT INTO app.reading VALUES ({}, date '2023-01-01' + {n} * 5, {m}, repeat('r', {n} * 30)) ON CONFLICT (sensor, day) DO UPDATE SET value = EXCLUDED.value",
            m % 6 + 1
        ),
        9 => format!(
            "UPDATE app.reading r SET day = day + 366 WHERE sensor = {} AND day < '2024-12-01' AND NOT EXISTS (SELECT FROM app.reading o WHERE o.sensor = r.sensor AND o.day = r.day + 366)",
            m % 6 + 1
        ),
        10 => format!("DELETE FROM app.reading WHERE sensor = {} AND value < {m}", n % 6 + 1),
        11 => format!("UPDATE app.unique_only SET at = at + {n} WHERE code = 'c{}'", m % 20 + 1),
        12 => format!(
            "INSERT INTO app.\"order\" VALUES ({n}, 'n {m}') ON CONFLICT (id) DO UPDATE SET note = EXCLUDED.note"
        ),
        13 => format!(
            "UPDATE app.\"order\" SET id = id + 1000 * {m} WHERE id = {n} AND NOT EXISTS (SELECT FROM app.\"order\" WHERE id = {n} + 1000 * {m})"
        ),
        14 if n % 8 == 0 => "TRUNCATE app.\"Order\"".to_owned(),
        14 => format!(
            "INSERT INTO app.\"Order\" VALUES ({n}, repeat('long', {m} * 50)) ON CONFLICT (id) DO UPDATE SET note = app.\"Order\".note"
        ),
        _ => format!("UPDATE app.wide SET c{} = NULL, c10 = repeat('w', {n}) WHERE id = {}", 11 + m % 40, m % 10 + 1),
    }
}

/// Runs a job to a point at which it is killed; if it never comes there, it has to end well.
fn killed(own: &OwnDatabase, job: &str, point: &str, args: &[&str]) -> bool {
    let mut child = own.job_command(job, &[&["--stop-at", point], args].concat()).spawn().unwrap();
    let froze = freezes(&mut child, point);
    if froze {
        kill(child);
    } else {
        let outcome = outcome(child);
        assert!([0, 75].contains(&outcome.exit), "{outcome:#?}");
    }
    froze
}

fn history(seed: u64) {
    let mut random = Random::new(seed);
    let own = OwnDatabase::load(&format!("own_history_{seed}"), &["workshop.sql"]).captured(&[]);
    let text = own.text("lockstep.toml");
    fs::write(own.file("lockstep.toml"), text + DERIVED).unwrap();
    fs::write(own.file("order_days.sql"), ORDER_DAYS).unwrap();
    fs::write(own.file("members.sql"), MEMBERS).unwrap();
    own.job("migrate", &[]).expect_exit(0);
    let jobs = own.ingest_jobs();
    let jobs: Vec<&str> = jobs.iter().map(String::as_str).collect();
    let mut kills = 0;
    for _ in 0..STEPS {
        let mut client = own.postgres();
        for _ in 0..random.below(TRANSACTIONS) {
            let statements: Vec<String> = (0..=random.below(3)).map(|_| statement(&mut random)).collect();
            let end = if random.once_in(6) { "ROLLBACK" } else { "COMMIT" };
            client.batch_execute(&format!("BEGIN; {}; {end}", statements.join("; "))).unwrap();
        }
        let window = (3 + random.below(30)).to_string();
        let job = random.of(&jobs);
        match random.below(5) {
            0 => kills += usize::from(killed(&own, "build-order-days", random.of(&BUILD_POINTS), &[])),
            1 => _ = own.job("build-order-days", &[]).expect_exit(0),
            2 => _ = own.job(job, &["--verify", "--window-records", &window]).expect_exit(0),
            3 => _ = own.job("replay-rejected", &[]).expect_exit(0),
            _ => kills += usize::from(killed(&own, job, random.of(&POINTS), &["--window-records", &window])),
        }
    }
    own.ingest_all();
    own.job("replay-rejected", &[]).expect_exit(0);
    own.job("build-order-days", &[]).expect_exit(0);
    own.assert_right();
    let built = own.clickhouse(&format!(
        "SELECT day, state, orders, total FROM {}.order_days FINAL ORDER BY day, state SETTINGS output_format_decimal_trailing_zeros = 1 FORMAT TSVRaw",
        own.dw
    ));
    let added_up: String = own.postgres().query_one(IN_SOURCE, &[]).unwrap().get(0);
    assert_eq!(built, added_up);
    println!("seed {seed}: {kills} kills, {} rows of order_days", built.lines().count());
    assert!(kills > 0, "the situation did arise");
}

#[test]
fn of_seed_1() {
    history(1);
}

/// Of the seeds that are asked for; else of one that nobody knows, which the names of a failed test tell.
#[test]
fn of_any_seed() {
    match std::env::var("OWN_SEEDS") {
        Ok(seeds) => seeds.split(',').for_each(|seed| history(seed.trim().parse().expect("OWN_SEEDS=1,2,3"))),
        Err(_) => history(u64::from(std::process::id())),
    }
}
