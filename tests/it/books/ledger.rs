//! The ledger: every row has the next number of its stream, and a consumer remembers one number per stream.

use serde_json::json;

use crate::support::checks::Checked;
use crate::support::event::updates;
use crate::support::observe::{alarms, observe, says, settings};
use crate::support::shop::{Shop, built, counts};
use crate::support::{World, go_on, kill, outcome};

/// The first look after a fresh ingest is at everything, the second at nothing: each table is noted down, not only the first.
#[test]
fn every_table_is_taken_up_in_one_run() {
    let tables = ["categories", "customers", "region", "shippers"];
    let shop = Checked::new("ledger_tables", &tables);
    let new: Vec<&str> = tables.iter().flat_map(|table| ["--table", table]).chain(["--scope", "new"]).collect();
    for job in ["check-integrity", "check-rules", "check-reconcile", "check-volume"] {
        let first = shop.run(job, &new).expect_exit(0);
        let second = shop.run(job, &new).expect_exit(0);
        assert_eq!((first.count("nothing_new"), second.count("nothing_new")), (0, 4), "{job}");
    }
}

#[test]
fn writers_side_by_side_use_each_number_once() {
    let world = World::with_topic("ledger_writers", 1);
    world.produce(&updates(&["ALFKI"], "v", 0..60));
    let range = ["--offsets", "0:0..60", "--window-records", "1"];
    let runs: Vec<_> = (0..4).map(|_| world.start_ingest(&range)).collect();
    for run in runs {
        assert_eq!(outcome(run).expect_exit(0).count("windows"), 60);
    }
    let numbers = "SELECT count(), uniqExact(seq), min(seq), max(seq), uniqExact(run_id) FROM northwind_ops.windows WHERE stream = -1";
    assert_eq!(world.clickhouse(numbers), "240\t240\t1\t240\t4\n");
    // A row that somebody removes takes its number with it: the server would know it again, and drop the next one.
    world.clickhouse("ALTER TABLE northwind_ops.windows DELETE WHERE seq > 200 SETTINGS mutations_sync = 1");
    assert_eq!(world.ingest(&range).expect_exit(0).count("windows"), 60);
    assert_eq!(world.clickhouse(numbers), "260\t260\t1\t260\t5\n");
}

/// The lock was lost, nobody noticed, and another run has closed the window: the group does not move.
#[test]
fn a_number_that_another_run_has_taken_ends_the_run_before_its_commit() {
    let world = World::with_topic("ledger_taken", 1);
    world.produce(&updates(&["ALFKI"], "v", 0..3));
    let run = world.ingest_frozen_at("quarantine-resolved", &[]);
    let before = world.committed(0);
    world.clickhouse(&format!(
        "INSERT INTO northwind_ops.windows (source, group_id, topic, stream, seq, mode, run_id)
         VALUES ('customers', '{}', '{}', 0, 2, 'plan', 'another')",
        world.group, world.topic
    ));
    let ended = go_on(run).expect_exit(75);
    assert!(ended.error().contains("row 2 of the ledger of "), "{ended:?}");
    assert!(ended.error().contains("partition 0 was written by run another: the lock on the partition was lost"));
    assert_eq!(world.committed(0), before);
    let error = world.clickhouse("SELECT error FROM northwind_ops.runs FINAL FORMAT TSVRaw");
    assert_eq!(error.trim_end(), ended.error(), "the books say why");
}

/// Writes the ledger row of a window of order lines, as a replica shows it that is late, or early.
fn show(shop: &Shop, seq: i64, offset: i64, closed: &str) {
    shop.world.clickhouse(&format!(
        "INSERT INTO northwind_ops.windows (source, topic, stream, seq, mode, start_offset, end_offset, closed_at)
         VALUES ('order_details', 'shop.public.order_details', 0, {seq}, 'plan', {offset}, {offset} + 1, {closed})"
    ));
}

#[test]
fn a_row_that_becomes_visible_late_is_not_passed_over() {
    let shop = built("ledger_late");
    show(&shop, 6, 10, "now()");
    shop.order(3, Some("1997-05-16"));
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0))[..2], [1, 1], "the order's window alone");
    show(&shop, 5, 9, "now() - INTERVAL 1 DAY");
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0))[..2], [2, 2]);
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0))[..2], [0, 0]);
}

#[test]
fn a_hole_that_does_not_fill_is_said_and_holds_nobody_else_up() {
    let shop = built("ledger_hole");
    show(&shop, 6, 10, "now() - INTERVAL 2 HOUR");
    shop.order(3, Some("1997-05-16"));
    let ended = shop.world.build(&[]).expect_exit(78);
    assert_eq!(counts(&ended)[..2], [1, 1]);
    for said in ["source = 'order_details'", "has no row 5", "row 6 is older than an hour"] {
        assert!(ended.error().contains(said), "{said}: {}", ended.error());
    }
    assert_eq!(shop.world.build(&[]).expect_exit(78).count("windows"), 0, "said as long as it is there");
    let shop = Checked { world: shop.world, connector: String::new() };
    let args = ["--table", "order_details", "--scope", "new", "--wait", "0s"];
    let ended = shop.run("check-volume", &args).expect_exit(78);
    assert!(shop.statuses(&ended).contains("volume order_details error\n"), "{}", shop.statuses(&ended));
}

/// Numbers begin anew, and would be taken for known ones.
#[test]
fn an_older_ledger_below_a_position_is_said() {
    let shop = built("ledger_older");
    shop.world.clickhouse("TRUNCATE TABLE northwind_ops.windows");
    shop.line(2, 1, 7);
    shop.put("customers", json!({"customer_id": "ALFKI", "company_name": "Alfreds & Co."}));
    let ended = shop.world.build(&[]).expect_exit(78);
    let said = "build-order-wide has taken up the ledger (source = 'order_details'";
    assert!(ended.error().contains(said) && ended.error().contains("up to row 4"), "{}", ended.error());
    shop.world.clickhouse("TRUNCATE TABLE northwind_ops.positions");
    assert_eq!(counts(&shop.world.build(&[]).expect_exit(0))[..2], [2, 4]);
}

/// Rows go when they are old and everybody has taken them up; never a stream's last, and no window that a check has left open.
#[test]
fn old_rows_that_everybody_has_taken_up_are_removed() {
    let shop = Shop::new("ledger_prune");
    let prune = || shop.world.run("rejected", &["--prune-ledger", "400d"]).expect_exit(0).count("pruned_windows");
    shop.world.clickhouse(
        "ALTER TABLE northwind_ops.windows UPDATE closed_at = now() - INTERVAL 500 DAY WHERE 1 SETTINGS mutations_sync = 1",
    );
    assert_eq!(prune(), 0, "nobody has taken them up yet");
    shop.world.build(&[]).expect_exit(0);
    shop.world.clickhouse(
        "INSERT INTO northwind_ops.postponed (consumer, source, topic, stream, seq, done)
         VALUES ('build-order-wide', 'order_details', 'shop.public.order_details', 0, 2, 0)",
    );
    shop.line(1, 1, 9);
    let left = "SELECT source, groupArray(seq) FROM (SELECT * FROM northwind_ops.windows ORDER BY seq) WHERE source LIKE 'o%' GROUP BY source ORDER BY source";
    assert_eq!(prune(), 3 + 2 + 1, "of order lines, orders, products");
    assert_eq!(shop.world.clickhouse(left), "order_details\t[2,5]\norders\t[3]\n");
    let build = counts(&shop.world.build(&[]).expect_exit(0));
    assert_eq!(build[..2], [2, 2], "the window that was left open, and the new one");
    assert_eq!((prune(), prune()), (1, 0));
    assert_eq!(shop.world.clickhouse(left), "order_details\t[5]\norders\t[3]\n");
    shop.order(3, Some("1997-05-16"));
    assert_eq!(shop.world.build(&[]).expect_exit(0).count("windows"), 1, "it goes on");
    // Whoever begins now is told, once, that it has not seen everything.
    let shop = Checked { world: shop.world, connector: String::new() };
    let check = || shop.run("check-volume", &["--table", "orders", "--scope", "new"]);
    let first = check().expect_exit(78);
    assert!(first.error().contains("rows up to 2 were removed for their age"), "{}", first.error());
    check().expect_exit(0);
}

/// The consumer is new, or was away for long: what it reads of the ledger costs no memory, however much that is.
#[test]
fn a_consumer_that_begins_late_reads_a_large_ledger_in_flat_memory() {
    let world = World::new("ledger_large");
    world.clickhouse(&format!(
        "INSERT INTO northwind_ops.windows (source, group_id, topic, stream, seq, mode, partition, start_offset, end_offset, run_id)
         SELECT 'customers', '{}', '{}', number % 3, intDiv(number, 3) + 1, 'plan', number % 3, 10 * number, 10 * number + 5, toString(generateUUIDv4())
         FROM numbers(300000)",
        world.group, world.topic
    ));
    let check = || {
        let args = ["--table", "customers", "--scope", "new", "--prefix", &world.name, "--wait", "0s"];
        let outcome = world.run("check-volume", &args).expect_exit(0);
        assert!(outcome.count("peak_mib") < 100, "{outcome:?}");
        outcome.count("nothing_new")
    };
    assert_eq!(check(), 0, "no row stands at these offsets, but there were runs");
    let taken = "SELECT groupArray((stream, seq)) FROM (SELECT * FROM northwind_ops.positions FINAL ORDER BY stream)";
    assert_eq!(world.clickhouse(taken), "[(0,100000),(1,100000),(2,100000)]\n");
    // It has left most of them open.
    world.clickhouse(
        "INSERT INTO northwind_ops.postponed (consumer, source, group_id, topic, stream, seq, done)
         SELECT 'check-volume', source, group_id, topic, stream, seq, 0 FROM northwind_ops.windows WHERE seq < 80000",
    );
    check();
    assert_eq!(world.number("SELECT count() FROM northwind_ops.postponed FINAL WHERE done = 0"), 0);
}

/// First what is left open, *then* the position, *then* what is not open any more. Killed in between, a consumer looks at the windows again.
#[test]
fn a_window_that_is_left_open_is_not_lost_when_the_consumer_is_killed() {
    let shop = Checked { world: World::with_topic("ledger_killed", 1), connector: String::new() };
    let ingest = |records| {
        shop.world.produce(&updates(&["ALFKI"], "v", 0..records));
        shop.world.ingest(&[]).expect_exit(0);
    };
    // The check leaves open what runs have closed that have not ended.
    let runs_are = |status: &str| {
        shop.world.clickhouse(&format!(
            "INSERT INTO northwind_ops.runs SELECT * REPLACE ('{status}' AS status, updated_at + 10 AS updated_at)
             FROM northwind_ops.runs FINAL WHERE job = 'ingest-customers'"
        ));
    };
    let new = ["--table", "customers", "--scope", "new", "--wait", "0s"];
    let check = || shop.run("check-volume", &new).expect_exit(0).count("nothing_new");
    let kill_at = |point: &str| {
        kill(shop.frozen_at(point, "check-volume", &new));
    };
    let noted = || {
        let position = shop.world.number("SELECT max(seq) FROM northwind_ops.positions");
        let open = "SELECT groupArray(seq) FROM (SELECT seq FROM northwind_ops.postponed FINAL WHERE done = 0 ORDER BY seq) FORMAT TSVRaw";
        format!("{position} {}", shop.world.clickhouse(open).trim())
    };

    ingest(1);
    runs_are("running");
    kill_at("windows-left-open");
    assert_eq!(noted(), "0 [2]", "the origin is row 1, the window row 2");
    assert_eq!((check(), noted()), (0, "2 [2]".to_owned()));
    kill_at("positions-written");
    assert_eq!(noted(), "2 [2]");

    // What was open is done, and something new is left open; then the other way round.
    runs_are("done");
    ingest(2);
    kill_at("positions-written");
    assert_eq!(noted(), "3 [2]", "it is looked at once more");
    assert_eq!((check(), noted()), (0, "3 []".to_owned()));
    ingest(3);
    runs_are("running");
    kill_at("windows-left-open");
    assert_eq!(noted(), "3 [4]");
    runs_are("done");
    assert_eq!((check(), noted()), (0, "4 []".to_owned()), "it is new, and was left open");
    assert_eq!((check(), noted()), (1, "4 []".to_owned()));
}

/// A check that was switched off stands where it stood, and the ledger grows for it.
#[test]
fn who_holds_back_pruning_is_said() {
    let shop = Checked { world: World::new("ledger_held"), connector: String::new() };
    let world = &shop.world;
    let close = |from: u64, number: u64, days: u64| {
        world.clickhouse(&format!(
            "INSERT INTO northwind_ops.windows (source, topic, stream, seq, mode, start_offset, end_offset, closed_at)
             SELECT 'customers', 'a.public.customers', 0, {from} + number, 'plan', number, number + 1, now() - INTERVAL {days} DAY
             FROM numbers({number})"
        ));
    };
    let prune = || world.run("rejected", &["--prune-ledger", "400d"]).expect_exit(0);
    let check = |job: &str| shop.run(job, &["--table", "customers", "--scope", "new"]).expect_exit(0);
    let look = |text: &str| {
        let config = settings(world, &format!("[observe.severity]\nlate = \"off\"\n[observe]\n{text}\n"));
        observe(world, &["--config", &config]).expect_exit(0)
    };
    close(1, 5, 500);
    let kept = prune();
    assert_eq!(kept.summary["held_back_by"], json!([{"consumer": "", "rows": 4, "tables": ["customers"]}]), "nobody");
    assert!(kept.log.contains("no check and no build follows"), "{}", kept.log);
    check("check-volume");
    check("check-integrity");
    close(6, 4, 450);
    check("check-integrity");
    let kept = prune();
    assert_eq!(kept.count("pruned_windows"), 5);
    assert_eq!(kept.summary["held_back_by"], json!([{"consumer": "check-volume", "rows": 3, "tables": ["customers"]}]));
    assert!(kept.log.contains("check-volume has not taken up 3 of them (customers)"), "{}", kept.log);
    let seen = look("");
    assert_eq!(alarms(&seen), Vec::<&str>::new(), "a warning");
    says(&seen, &["check-volume has not taken up 4 rows of the ledger", "(customers)", "450 d", "positions DELETE"]);
    assert_eq!(look("consumer_behind_after = \"460d\"").summary["healthy"], true);
    world.clickhouse(
        "ALTER TABLE northwind_ops.positions DELETE WHERE consumer = 'check-volume' SETTINGS mutations_sync = 1",
    );
    assert_eq!(look("").summary["healthy"], true);
    let free = prune();
    assert_eq!((free.count("pruned_windows"), &free.summary["held_back_by"]), (3, &json!([])));
}
