//! Makes the fixture anew, with the executable of that commit: see its README.

use serde_json::{Value, json};

use super::fixture::{TABLES, file, line, read, topic_id_of};
use crate::support::event::{Event, customer, delete, raw, row, tombstone, truncate};
use crate::support::{Message, World};

struct Making {
    world: World,
    connector: String,
    lines: Vec<String>,
    lsn: u64,
}

#[test]
#[ignore = "makes tests/fixtures/books_b4bd33a anew, with the executable of that commit"]
fn make_the_older_books() {
    assert!(std::env::var("NORTHWIND_UNDER_TEST").is_ok(), "set it to the executable of commit b4bd33a");
    let mut making = Making { world: World::new("books"), connector: String::new(), lines: Vec::new(), lsn: 200 };
    making.customers_of_two_generations();
    making.a_replay();
    making.other_tables();
    making.build_and_checks();
    making.a_repair_and_a_look();
    making.windows_that_nobody_has_taken_up();
    let windows = making.world.build(&["--dry-run"]).expect_exit(0).count("windows");
    making.write_down(windows);
}

impl Making {
    fn produce(&mut self, table: &str, messages: &[Message]) {
        self.world.produce_to(table, messages);
        self.lines.extend(messages.iter().map(|message| line(table, message)));
    }

    /// A topic of two partitions, then another one of the same name; a truncate in each; a range.
    fn customers_of_two_generations(&mut self) {
        let named = |id: &str, lsn: u64| customer("r", id, &format!("{id} & Co."), lsn);
        self.world.create_topic(2, &[]);
        self.world.produce(&[
            named("HUNGO", 100).message(),
            named("MORGK", 101).at(1).message(),
            named("ALFKI", 40).message(),
            truncate(1, 50),
            raw(1, Some("{\"customer_id\":\"ALFKI\"}"), b"no JSON"),
            delete("MORGK", 103).at(1).message(),
            tombstone(1, "MORGK"),
        ]);
        self.world.ingest(&[]).expect_exit(0);
        self.world.delete_topic();
        self.world.create_topic(2, &[]);
        let messages: Vec<Message> = [
            vec![named("HUNGO", 110), named("MORGK", 111), named("SOON", 112), named("GONE", 113), named("ANATR", 55)],
            vec![named("BLONP", 114).at(1), named("ALFKI", 115).at(1), named("GHOST", 116).at(1)],
        ]
        .concat()
        .iter()
        .map(Event::message)
        .collect();
        self.produce("customers", &messages);
        self.produce("customers", &[truncate(0, 60), raw(1, Some("{\"customer_id\":\"BLONP\"}"), b"broken")]);
        self.world.ingest(&[]).expect_exit(78);
        self.world.ingest(&["--resume-from", "log-start", "--max-records", "6"]).expect_exit(0);
        self.world.ingest(&[]).expect_exit(0);
        self.world.ingest(&["--offsets", "0:0..2"]).expect_exit(0);
    }

    /// One record is resolved, one superseded, two stay open.
    fn a_replay(&mut self) {
        self.world.postgres().batch_execute(&read("source.sql")).unwrap();
        self.produce("customers", &[customer("u", "GONE", "Went on without", 140).message()]);
        self.world.ingest(&[]).expect_exit(0);
        self.world.replay(&[]).expect_exit(0);
        let statuses =
            "SELECT status, count() FROM northwind_ops.rejected FINAL WHERE offset < 6 GROUP BY ALL ORDER BY ALL";
        eprintln!("quarantine:\n{}", self.world.clickhouse(statuses));
    }

    fn other_tables(&mut self) {
        for (table, partitions) in &TABLES[1..] {
            self.world.create_topic_of(table, *partitions, &[]);
            let rows = self.rows_of_the_source(table);
            self.produce(table, &rows);
            self.world.ingest_table(table, &["--rule", "discount-limit=warn"]).expect_exit(0);
        }
    }

    fn build_and_checks(&mut self) {
        // Only now: it must not send what was changed in the source so far. The checks ask for its slot.
        self.connector = self.world.capture(&[("snapshot.mode", "no_data")]);
        self.world.build(&[]).expect_exit(0);
        let new = ["--scope", "new", "--wait", "0s"];
        for job in ["check-integrity", "check-rules", "check-integrity", "check-integrity"] {
            let outcome = self.check(job, &new);
            eprintln!("{job}: {}", outcome);
        }
        self.check("check-volume", &["--table", "customers"]);
    }

    fn check(&self, job: &str, args: &[&str]) -> Value {
        let flags = ["--prefix", &self.world.name, "--slot", &self.connector];
        self.world.run(job, &[&flags[..], args].concat()).summary
    }

    fn a_repair_and_a_look(&mut self) {
        let shippers = ["--table", "shippers"];
        eprintln!("{}", self.check("check-reconcile", &shippers));
        eprintln!("{}", self.check("check-reconcile", &[&shippers[..], &["--repair", "--yes"]].concat()));
        let look = self.world.run("observe", &["--connector", &self.connector, "--table", "customers"]);
        eprintln!("{}", look.summary);
        // A connector that fails three times an hour is not needed for its rows.
        self.world.clickhouse(
            "INSERT INTO northwind_ops.connector_restarts SELECT run_id, observed_at, '', connector, ['task 0'] FROM northwind_ops.observed_connectors LIMIT 1",
        );
        // What a build that was killed leaves.
        self.world.clickhouse("INSERT INTO northwind_ops.touched_lines SELECT 1, 10248, 8");
    }

    /// New records for tables that every consumer has taken up, and a plan that was killed between ledger and commit.
    fn windows_that_nobody_has_taken_up(&mut self) {
        self.produce("customers", &[customer("u", "HUNGO", "Hungry Owl", 150).message()]);
        self.world.ingest(&[]).expect_exit(0);
        for table in ["products", "orders"] {
            let rows = self.rows_of_the_source(table);
            self.produce(table, &rows[..1]);
            self.world.ingest_table(table, &[]).expect_exit(0);
        }
        let more = ["BLONP", "ALFKI"].map(|id| customer("u", id, "Changed", 160).at(1).message());
        self.produce("customers", &more);
        self.produce("customers", &[customer("u", "MORGK", "Changed", 161).message()]);
        self.world.kill_at("ledger-written", &[]);
    }

    /// The rows of a few orders and of all that they point at, as a snapshot sends them.
    fn rows_of_the_source(&mut self, table: &str) -> Vec<Message> {
        const ORDERS: &str = "order_id IN (10248, 10249, 10250)";
        const PRODUCTS: &str =
            "product_id IN (SELECT product_id FROM order_details WHERE order_id IN (10248, 10249, 10250))";
        let (key, condition): (&[&str], String) = match table {
            "orders" => (&["order_id"], ORDERS.to_owned()),
            "order_details" => (&["order_id", "product_id"], ORDERS.to_owned()),
            "products" => (&["product_id"], PRODUCTS.to_owned()),
            "suppliers" => {
                (&["supplier_id"], format!("supplier_id IN (SELECT supplier_id FROM products WHERE {PRODUCTS})"))
            }
            "categories" => {
                (&["category_id"], format!("category_id IN (SELECT category_id FROM products WHERE {PRODUCTS})"))
            }
            "employees" => (&["employee_id"], "reports_to IS NULL OR employee_id IN (3, 5, 8)".to_owned()),
            "shippers" => (&["shipper_id"], "true".to_owned()),
            other => panic!("{other}"),
        };
        let mut client = self.world.postgres();
        let columns = "SELECT column_name::text, data_type::text FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position";
        let columns: Vec<String> =
            client.query(columns, &[&table]).unwrap().iter().map(|row| as_debezium(row.get(0), row.get(1))).collect();
        let sql = format!(
            "SELECT row_to_json(sent)::text FROM (SELECT {} FROM {table} WHERE {condition} ORDER BY {}) AS sent",
            columns.join(", "),
            key.join(", ")
        );
        let rows = client.query(&sql, &[]).unwrap();
        let mut messages = Vec::new();
        for found in rows {
            let mut after: Value = serde_json::from_str(found.get(0)).unwrap();
            // One line that breaks a rule which only warns.
            if after["product_id"] == 70 && table == "order_details" {
                after["discount"] = json!(0.5);
            }
            let key: Value = key
                .iter()
                .map(|column| ((*column).to_owned(), after[*column].clone()))
                .collect::<serde_json::Map<_, _>>()
                .into();
            // What the log says is not what the source says: a repair.
            if after["shipper_id"] == 2 && table == "shippers" {
                after["phone"] = json!("unknown");
            }
            self.lsn += 1;
            messages.push(row("r", table, &key, &after, self.lsn));
        }
        messages
    }

    fn write_down(&self, windows: i64) {
        let committed =
            TABLES.iter().flat_map(|(table, partitions)| (0..*partitions).map(|partition| (*table, partition)));
        let committed: Vec<Value> = committed
            .filter_map(|(table, partition)| {
                let (offset, metadata) = self.world.committed_of(table, partition)?;
                Some(json!({"table": table, "partition": partition, "offset": offset, "metadata": metadata}))
            })
            .collect();
        let noted = json!({"commit": "b4bd33a", "made_on": chrono::Utc::now().format("%Y-%m-%d").to_string(), "open_for_order_wide": windows, "committed": committed});
        std::fs::write(file("noted.json"), format!("{noted:#}\n")).unwrap();
        std::fs::write(file("topics.jsonl"), self.lines.join("\n") + "\n").unwrap();
        std::fs::write(file("ddl.sql"), self.ddl()).unwrap();
        std::fs::write(file("rows.sql"), self.rows()).unwrap();
    }

    fn ddl(&self) -> String {
        let sql = "SELECT create_table_query FROM system.tables WHERE database IN ('northwind_dw', 'northwind_ops')
                   ORDER BY engine = 'View', database, name FORMAT JSONCompactColumns";
        let text = self.world.clickhouse(sql);
        let columns: Vec<Vec<String>> = serde_json::from_str(&text).unwrap();
        let named = |sql: &String| {
            sql.replace(&self.world.dw, "northwind_dw").replace(&self.world.ops, "northwind_ops") + ";\n"
        };
        columns[0].iter().map(named).collect()
    }

    fn rows(&self) -> String {
        let tables = "SELECT if(database = 'northwind_dw', 'northwind_dw.', 'northwind_ops.') || name FROM system.tables
                      WHERE database IN ('northwind_dw', 'northwind_ops') AND engine LIKE '%MergeTree' AND total_rows > 0 ORDER BY ALL FORMAT TSVRaw";
        let mut text = String::new();
        for table in self.world.clickhouse(tables).lines() {
            let table = table.replace(&self.world.dw, "northwind_dw").replace(&self.world.ops, "northwind_ops");
            let rows = self.world.clickhouse(&format!("SELECT * FROM {table} ORDER BY ALL FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0, output_format_json_escape_forward_slashes = 0"));
            text += &format!("INSERT INTO {table} FORMAT JSONEachRow\n{};\n", rows.trim_end());
        }
        for (table, _) in TABLES {
            let sql = format!(
                "SELECT argMax(topic_id, generation) FROM northwind_ops.windows WHERE topic = '{}'",
                self.world.topic_of(table)
            );
            text = text.replace(self.world.clickhouse(&sql).trim(), &topic_id_of(table));
        }
        text.replace(&self.world.name, "{world}")
    }
}

/// A column as the connector sends it.
fn as_debezium(name: &str, kind: &str) -> String {
    match kind {
        "date" => format!("{name} - DATE '1970-01-01' AS {name}"),
        "numeric" => format!("{name}::text AS {name}"),
        "bytea" => format!("NULL AS {name}"),
        _ => name.to_owned(),
    }
}
