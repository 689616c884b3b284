//! Much at once through the real connector: a random workload, and the connector's other settings.

use std::time::Duration;

use postgres::Client;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message as _;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::support::random::Random;
use crate::support::{World, kafka_servers};

/// Changes `customers` at random. Customers with orders are updated; its own ones are also deleted and renamed.
struct Workload {
    client: Client,
    random: Random,
    own: Vec<String>,
    named: usize,
}

impl Workload {
    fn run(&mut self, sql: &str) {
        self.client.batch_execute(sql).unwrap();
    }

    fn new_id(&mut self) -> String {
        self.named += 1;
        format!("W{:04}", self.named)
    }

    fn change(&mut self) {
        let columns =
            ["contact_name", "contact_title", "address", "city", "region", "postal_code", "country", "phone", "fax"];
        let values = ["NULL", "''", "'Köln'", "'it''s'", "E'a\\tb\\\\c'", "'\"x\"'", "'NULL'", "'\\N'", "'日本'"];
        let own = self.random.below(self.own.len().max(1));
        match self.random.below(10) {
            0..=1 => {
                let id = self.new_id();
                self.run(&format!("INSERT INTO customers (customer_id, company_name) VALUES ('{id}', 'new {id}')"));
                self.own.push(id);
            }
            2 if !self.own.is_empty() => {
                let id = self.own.swap_remove(own);
                self.run(&format!("DELETE FROM customers WHERE customer_id = '{id}'"));
            }
            3 if !self.own.is_empty() => {
                let (id, new) = (self.own.swap_remove(own), self.new_id());
                self.run(&format!("UPDATE customers SET customer_id = '{new}' WHERE customer_id = '{id}'"));
                self.own.push(new);
            }
            4 if !self.own.is_empty() => {
                let id = &self.own[own];
                let again = format!(
                    "DELETE FROM customers WHERE customer_id = '{id}';
                     INSERT INTO customers (customer_id, company_name) VALUES ('{id}', 'again')"
                );
                self.run(&again);
            }
            _ => {
                let (column, value) = (self.random.of(&columns), self.random.of(&values));
                let known = self.random.of(&["ALFKI", "ANATR", "BERGS", "WOLZA", "own"]);
                let id = if known == "own" && !self.own.is_empty() { self.own[own].clone() } else { known.to_owned() };
                self.run(&format!("UPDATE customers SET {column} = {value} WHERE customer_id = '{id}'"));
            }
        }
    }

    /// One change, or a transaction of several that ends either way, with or without a savepoint rolled back.
    fn step(&mut self) {
        if self.random.below(3) > 0 {
            return self.change();
        }
        let before = self.own.clone();
        self.run("BEGIN");
        for _ in 0..=self.random.below(3) {
            self.change();
        }
        if self.random.below(3) == 0 {
            let here = self.own.clone();
            self.run("SAVEPOINT here");
            self.change();
            self.run("ROLLBACK TO SAVEPOINT here");
            self.own = here;
        }
        if self.random.below(2) == 0 {
            self.run("COMMIT");
        } else {
            self.run("ROLLBACK");
            self.own = before;
        }
    }
}

#[test]
fn a_random_workload_read_in_many_small_runs_ends_equal_to_the_source() {
    let mut world = World::new("workload");
    let connector = world.capture(&[]);
    let mut workload = Workload { client: world.postgres(), random: Random::new(0x5EED), own: Vec::new(), named: 0 };
    for step in 0..300 {
        workload.step();
        // Meanwhile, at whatever stands in the topic by now.
        if step % 60 == 30 {
            world.ingest(&["--max-records", "50"]).expect_exit(0);
        }
    }
    world.wait_for_capture(&connector);
    let mut runs = 0;
    while world.ingest(&["--max-records", "50"]).expect_exit(0).count("windows") > 0 {
        runs += 1;
    }
    assert!(runs >= 3, "{runs}");
    assert_eq!(world.assert_same_customers(), 91 + workload.own.len());
    let accounted = "SELECT sum(written + rejected + tombstones + gaps) FROM northwind_ops.windows";
    assert_eq!(world.number(accounted), world.log_end(0));
    // Once more from the beginning: every event again, now against the source's last state.
    world.ingest(&["--from-beginning"]).expect_exit(0);
    world.assert_same_customers();
}

fn last_value(world: &World) -> String {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", kafka_servers()).set("group.id", "unused").create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(&world.topic, 0, Offset::Offset(world.log_end(0) - 1)).unwrap();
    consumer.assign(&list).unwrap();
    let message = consumer.poll(Duration::from_secs(20)).unwrap().unwrap();
    String::from_utf8(message.payload().unwrap().to_vec()).unwrap()
}

/// Schemas in key and value, no tombstones, and a long value that an update does not send again.
#[test]
fn schemas_no_tombstones_and_unchanged_long_values_end_equal_to_the_source() {
    let mut world = World::new("settings");
    world.change(
        "ALTER TABLE customers ALTER COLUMN address TYPE text;
         ALTER TABLE customers ALTER COLUMN address SET STORAGE EXTERNAL;
         ALTER TABLE customers REPLICA IDENTITY DEFAULT;
         UPDATE customers SET address = repeat('0123456789', 1000) WHERE customer_id = 'ALFKI'",
    );
    let connector = world.capture(&[
        ("key.converter.schemas.enable", "true"),
        ("value.converter.schemas.enable", "true"),
        ("tombstones.on.delete", "false"),
    ]);
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 91);
    assert_eq!(world.assert_same_customers(), 91);

    // From the warehouse.
    world.change("UPDATE customers SET city = 'Dresden' WHERE customer_id = 'ALFKI'");
    world.wait_for_capture(&connector);
    let value = last_value(&world);
    assert!(
        value.starts_with(r#"{"schema":"#) && value.contains(r#""address":"__debezium_unavailable_value""#),
        "{value}"
    );
    assert_eq!(world.ingest(&[]).expect_exit(0).count("written"), 1);
    assert_eq!(world.assert_same_customers(), 91);

    // From an earlier event of the same run; and a delete without tombstone, an insert, a changed key.
    world.change("UPDATE customers SET address = repeat('abcdefghij', 1000) WHERE customer_id = 'ALFKI'");
    world.change(
        "UPDATE customers SET city = 'Leipzig' WHERE customer_id = 'ALFKI';
         DELETE FROM customers WHERE customer_id = 'PARIS';
         INSERT INTO customers (customer_id, company_name, address) VALUES ('NEWCO', 'new', repeat('x', 10000));
         UPDATE customers SET customer_id = 'FISSB' WHERE customer_id = 'FISSA'",
    );
    world.wait_for_capture(&connector);
    let outcome = world.ingest(&[]).expect_exit(0);
    assert_eq!((outcome.count("written"), outcome.count("tombstones"), outcome.count("rejected")), (6, 0, 0));
    assert_eq!(world.assert_same_customers(), 91);
}
