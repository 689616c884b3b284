//! The fixture: books, warehouse and topics as the executable of commit b4bd33a left them (`tests/fixtures/books_b4bd33a`).

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Message, World, clickhouse, root};

/// The tables that have a topic in it, and how many partitions.
pub const TABLES: [(&str, i32); 8] = [
    ("customers", 2),
    ("categories", 1),
    ("suppliers", 1),
    ("employees", 1),
    ("shippers", 1),
    ("products", 1),
    ("orders", 1),
    ("order_details", 1),
];

pub fn file(name: &str) -> PathBuf {
    root().join("tests/fixtures/books_b4bd33a").join(name)
}

pub fn read(name: &str) -> String {
    let path = file(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What was noted when it was made: the day, committed offsets, what the old jobs said last.
pub fn noted() -> Value {
    serde_json::from_str(&read("noted.json")).unwrap()
}

/// The place in the fixture of a topic's id.
pub fn topic_id_of(table: &str) -> String {
    format!("{{topic id of {table}}}")
}

/// A world that was left by the old executable: source, topics with their offsets, both databases, committed offsets.
pub struct Older {
    pub world: World,
    /// What the fixture says, and what stands there in this world.
    texts: Vec<(String, String)>,
}

impl Older {
    pub fn new(test: &str) -> Older {
        let world = load(test);
        Older { world: world.0, texts: world.1 }
    }

    /// Every row of every table, in the fixture's words: `table<TAB>row`.
    pub fn rows(&self) -> Vec<String> {
        let tables = "SELECT if(database = 'northwind_dw', 'northwind_dw.', 'northwind_ops.') || name,
                             if(engine LIKE 'Replacing%', 'FINAL', '') FROM system.tables
                      WHERE database IN ('northwind_dw', 'northwind_ops') AND engine LIKE '%MergeTree' AND name NOT IN ('schema_migrations', 'installation')
                      ORDER BY ALL FORMAT TSVRaw";
        let mut rows = Vec::new();
        for line in self.world.clickhouse(tables).lines() {
            let (table, is_final) = line.split_once('\t').unwrap();
            let (table, is_final) = (table.to_owned(), is_final);
            let text =
                self.world.clickhouse(&format!("SELECT * FROM {table} {is_final} ORDER BY ALL FORMAT JSONEachRow SETTINGS output_format_json_escape_forward_slashes = 0"));
            let text = self.texts.iter().fold(text, |text, (from, to)| text.replace(to, from));
            let table = table.replace(&self.world.name, "{world}");
            rows.extend(text.lines().map(|row| format!("{table}\t{row}")));
        }
        rows.sort();
        rows
    }
}

fn load(test: &str) -> (World, Vec<(String, String)>) {
    let world = World::new(test);
    world.change(&read("source.sql"));
    produce(&world);
    let texts = replacements(&world);
    for database in [&world.dw, &world.ops] {
        clickhouse(&format!("DROP DATABASE {database} SYNC"));
        clickhouse(&format!("CREATE DATABASE {database}"));
    }
    for statement in read("ddl.sql").split(";\n").filter(|statement| !statement.trim().is_empty()) {
        world.clickhouse(statement);
    }
    for rows in read("rows.sql").split(";\n").filter(|statement| !statement.trim().is_empty()) {
        let rows = texts.iter().fold(rows.to_owned(), |text, (from, to)| text.replace(from, to));
        world.clickhouse(&rows);
    }
    for committed in noted()["committed"].as_array().unwrap() {
        let table = committed["table"].as_str().unwrap();
        let (partition, offset) = (committed["partition"].as_i64().unwrap(), committed["offset"].as_i64().unwrap());
        world.commit_of(table, partition as i32, offset, committed["metadata"].as_str().unwrap());
    }
    (world, texts)
}

fn produce(world: &World) {
    let text = read("topics.jsonl");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (table, partitions) in TABLES {
        world.create_topic_of(table, partitions, &[]);
        let message = |line: &Value| Message {
            partition: line["partition"].as_i64().unwrap() as i32,
            key: line["key"].as_str().map(str::to_owned),
            value: line["value"].as_str().map(|value| value.as_bytes().to_vec()),
            headers: Vec::new(),
        };
        let messages: Vec<Message> = lines.iter().filter(|line| line["table"] == table).map(message).collect();
        world.produce_to(table, &messages);
    }
}

/// What stands for this world's names, the ids of its topics, and yesterday: a fixture that grew older would expire.
fn replacements(world: &World) -> Vec<(String, String)> {
    let yesterday = (chrono::Utc::now() - chrono::Duration::days(1)).format("%Y-%m-%d").to_string();
    let mut texts = vec![("{world}".to_owned(), world.name.clone())];
    texts.push((noted()["made_on"].as_str().unwrap().to_owned(), yesterday));
    for (table, _) in TABLES {
        let plan = world.ingest_table(table, &["--dry-run"]).expect_exit(0).summary["plan"].clone();
        texts.push((topic_id_of(table), plan["topic_id"].as_str().unwrap().to_owned()));
    }
    texts
}
