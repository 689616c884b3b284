//! Look-ups on a read replica: it lags, and a row that it does not have yet is no orphan.

use crate::support::World;
use crate::support::event::customer;
use crate::support::standby::Standby;

#[test]
fn a_replica_that_lags_is_waited_for_and_never_believed_too_early() {
    let mut world = World::with_topic("replica", 1);
    let standby = Standby::start();
    standby.catch_up();
    let port = standby.port.to_string();
    world.environment.push(("POSTGRES_LOOKUP_HOST".into(), "127.0.0.1".into()));
    world.environment.push(("POSTGRES_LOOKUP_PORT".into(), port));

    // It answers: what the primary does not have is missing, the rest is there.
    world.produce(&[customer("c", "ALFKI", "there", 10).message(), customer("c", "NOONE", "nobody", 20).message()]);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (1, 1));

    // It lags: the new row is not there yet. The window stays open.
    standby.hold_back();
    let insert = "INSERT INTO customers (customer_id, company_name) VALUES ('LATE1', 'x')";
    world.change(insert);
    world.produce(&[customer("c", "LATE1", "late", 30).message()]);
    let outcome = world.ingest(&["--lookup-wait", "1s"]).expect_exit(75);
    assert!(outcome.error().contains("the read replica for look-ups has replayed"), "{}", outcome.error());
    assert!(outcome.error().contains("run again, or let the look-ups go to the primary"), "{}", outcome.error());
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (0, 0));

    // While a run waits for it, it catches up.
    let waiting = world.start_ingest(&["--lookup-wait", "30s"]);
    std::thread::sleep(std::time::Duration::from_millis(500));
    standby.let_go();
    let outcome = crate::support::outcome(waiting).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("rejected")), (1, 0));
    assert_eq!(world.customers(), "ALFKI\tthere\nLATE1\tlate\n");
}

#[test]
fn a_replica_is_no_place_for_locks() {
    let world = World::with_topic("replica_locks", 1);
    let standby = Standby::start();
    standby.catch_up();
    let outcome = world.ingest(&["--postgres-port", &standby.port.to_string()]).expect_exit(78);
    assert!(outcome.error().contains("this PostgreSQL is a standby"), "{}", outcome.error());
}
