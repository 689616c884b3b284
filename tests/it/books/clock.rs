//! The machine's clock is set back while a run is at work: the books still end with the run's last word.

use std::path::PathBuf;
use std::process::Child;

use crate::support::event::customer;
use crate::support::{World, go_on, root, wait_for, wait_until_frozen};

/// A job under a clock of its own, whose lead the file says; only the wall clock, as when somebody sets it.
struct Skewed {
    child: Child,
    clock: PathBuf,
}

impl Skewed {
    fn start(world: &World, job: &str, args: &[&str]) -> Skewed {
        let folder = root().join("target/tmp");
        std::fs::create_dir_all(&folder).unwrap();
        let clock = folder.join(format!("{}.clock", world.name));
        std::fs::write(&clock, "+3600s\n").unwrap();
        let mut command = world.command(job, args);
        command
            .env("LD_PRELOAD", libfaketime())
            .env("FAKETIME_TIMESTAMP_FILE", &clock)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        Skewed { child: command.spawn().unwrap(), clock }
    }

    fn set_back(&self) {
        std::fs::write(&self.clock, "-3600s\n").unwrap();
    }
}

fn libfaketime() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").unwrap().flatten();
    let path = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1")).find(|path| path.exists());
    path.expect("libfaketime: `make build` installs it (local-stack/apt-packages.txt)")
}

const ROWS: &str = "SELECT status, count() FROM northwind_ops.runs WHERE job = '{job}' GROUP BY ALL ORDER BY ALL";
const LAST: &str = "SELECT status FROM northwind_ops.runs FINAL WHERE job = '{job}'";

#[test]
fn a_run_whose_clock_is_set_back_ends_with_its_final_row() {
    for (job, point) in
        [("ingest-customers", "committed"), ("replay-rejected", "locked"), ("build-order-wide", "opened")]
    {
        let world = World::with_topic("clock_back", 1);
        world.produce(&[customer("c", "ALFKI", "fine", 10).message()]);
        let ask = |sql: &str| world.clickhouse(&sql.replace("{job}", job));
        let mut skewed = Skewed::start(&world, job, &["--stop-at", point]);
        wait_until_frozen(&mut skewed.child, point);
        let lead = world.number("SELECT dateDiff('second', now(), max(started_at)) FROM northwind_ops.runs");
        assert!((3_500..3_700).contains(&lead), "{job}: the job's clock is {lead} s ahead");
        skewed.set_back();
        let done = go_on(skewed.child).expect_exit(0);
        assert_eq!(ask(ROWS), "done\t1\nrunning\t1\n", "{job}");
        assert_eq!(ask(LAST), "done\n", "{job}");
        assert!((0..60_000).contains(&done.count("duration_ms")), "{job}: {done:?}");
    }
}

/// A run that was called lost, and ends after all, by a clock that was set back: its own word is the last one.
#[test]
fn the_mark_of_a_lost_run_stays_below_its_final_row() {
    let world = World::with_topic("clock_lost", 1);
    world.produce(&[customer("c", "ALFKI", "fine", 10).message()]);
    let mut skewed = Skewed::start(&world, "ingest-customers", &["--stop-at", "committed"]);
    wait_until_frozen(&mut skewed.child, "committed");
    // As observe marks it.
    world.clickhouse(
        "INSERT INTO northwind_ops.runs SELECT * REPLACE ('lost' AS status, addMilliseconds(updated_at, 1) AS updated_at)
         FROM northwind_ops.runs FINAL",
    );
    let last = || world.clickhouse(&LAST.replace("{job}", "ingest-customers"));
    wait_for("the mark", || last() == "lost\n");
    skewed.set_back();
    go_on(skewed.child).expect_exit(0);
    assert_eq!(last(), "done\n");
}
