//! Is the warehouse equal to the source? Every column of every row of a table, as text.

use postgres::SimpleQueryMessage;

use super::World;
use super::registry::{Registered, registry};

/// Rows as text, sorted: two tables are equal if these are.
pub type Rows = Vec<Vec<Option<String>>>;

impl World {
    /// Every column of every customer is the same in PostgreSQL and in ClickHouse; returns how many there are.
    #[track_caller]
    pub fn assert_same_customers(&self) -> usize {
        self.assert_same("customers")
    }

    /// Every column of every row is the same in PostgreSQL and in ClickHouse; returns how many rows there are.
    #[track_caller]
    pub fn assert_same(&self, table: &str) -> usize {
        let difference = self.difference(table);
        assert!(difference.is_empty(), "{table} differs:\n{difference}");
        self.source_rows(table).len()
    }

    /// The first rows that only one of the two has, or nothing.
    pub fn difference(&self, table: &str) -> String {
        let (source, warehouse) = (self.source_rows(table), self.warehouse_rows(table));
        let only = |name: &str, rows: &Rows, other: &Rows| -> String {
            let missing = rows.iter().filter(|row| other.binary_search(row).is_err());
            missing.take(5).map(|row| format!("only in {name}: {}\n", readable(row))).collect()
        };
        let mut difference = only("PostgreSQL", &source, &warehouse) + &only("ClickHouse", &warehouse, &source);
        if difference.is_empty() && source.len() != warehouse.len() {
            difference = format!("{} rows in PostgreSQL, {} in ClickHouse\n", source.len(), warehouse.len());
        }
        difference
    }

    /// The rows of a source table, in the warehouse's terms: amounts without float noise, pictures as length and hash.
    pub fn source_rows(&self, table: &str) -> Rows {
        let mut client = self.postgres();
        let types = "SELECT column_name::text, data_type::text FROM information_schema.columns
                     WHERE table_schema = 'public' AND table_name = $1";
        let types = client.query(types, &[&table]).expect("the source's columns");
        let expression = |column: &&str| {
            let data_type =
                types.iter().find(|row| row.get::<_, &str>(0) == *column).map(|row| row.get::<_, String>(1));
            match data_type.as_deref() {
                Some("bytea") => format!("length({column}), encode(sha256({column}), 'hex')"),
                // By its text: a cast from real to numeric keeps six digits only.
                Some("real" | "double precision" | "numeric") => format!("trim_scale({column}::text::numeric)"),
                Some(_) => format!("{column}::text"),
                None => panic!("{table} has no column {column}"),
            }
        };
        let columns: Vec<String> = registered(table).source_columns().iter().map(expression).collect();
        let messages = client.simple_query(&format!("SELECT {} FROM public.{table}", columns.join(", ")));
        let rows = messages.expect("the source's rows").into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect()),
            _ => None,
        });
        sorted(rows.collect())
    }

    /// The live rows of the warehouse table of a source table.
    pub fn warehouse_rows(&self, table: &str) -> Rows {
        let registered = registered(table);
        let expression = |column: &&str| match registered.warehouse_type(column).starts_with("Tuple(") {
            true => format!("toString({column}.1), {column}.2"),
            false => format!("toString({column})"),
        };
        let columns: Vec<String> = registered.source_columns().iter().map(expression).collect();
        let sql = format!(
            "SELECT {} FROM northwind_dw.{} FINAL FORMAT JSONCompactEachRow",
            columns.join(", "),
            registered.target
        );
        sorted(self.clickhouse(&sql).lines().map(|line| serde_json::from_str(line).expect("a row")).collect())
    }
}

/// A row for people: long values are cut.
fn readable(row: &[Option<String>]) -> String {
    let value = |value: &Option<String>| match value {
        Some(text) => format!("{:?}", text.chars().take(60).collect::<String>()),
        None => "NULL".to_owned(),
    };
    row.iter().map(value).collect::<Vec<_>>().join(", ")
}

fn sorted(mut rows: Rows) -> Rows {
    rows.sort();
    rows
}

fn registered(table: &str) -> Registered {
    registry().into_iter().find(|registered| registered.source == table).expect("a table of the registry")
}
