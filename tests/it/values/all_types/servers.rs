//! The cases' table on the servers: made in the source and in the warehouse, and what each of the two says of it.

use std::collections::BTreeMap;

use super::Read;
use super::cases::{CASES, SETUP};
use crate::support::{World, clickhouse_url};

/// A row for each value of the case that has the most.
pub fn create(world: &World) {
    let columns: Vec<String> =
        CASES.iter().enumerate().map(|(n, case)| format!("c{n} {}", case.postgres.unwrap_or(case.declared))).collect();
    let mut client = world.postgres();
    client.batch_execute(SETUP).unwrap();
    client
        .batch_execute(&format!(
            "CREATE TABLE everything (id integer PRIMARY KEY, {});
             ALTER TABLE everything REPLICA IDENTITY FULL;
             GRANT SELECT ON everything TO debezium;
             ALTER PUBLICATION northwind_publication ADD TABLE everything",
            columns.join(", ")
        ))
        .unwrap();
    let rows = CASES.iter().map(|case| case.values.len()).max().unwrap();
    for row in 0..=rows {
        let given: Vec<(usize, &str)> =
            CASES.iter().enumerate().filter_map(|(n, case)| Some((n, *case.values.get(row)?))).collect();
        let names: String = given.iter().map(|(n, _)| format!(", c{n}")).collect();
        let values: String = given
            .iter()
            .map(|(_, value)| match value.strip_prefix('=') {
                Some(expression) => format!(", {expression}"),
                None => format!(", '{}'", value.replace('\'', "''")),
            })
            .collect();
        client.batch_execute(&format!("INSERT INTO everything (id{names}) VALUES ({row}{values})")).unwrap();
    }
}

pub fn insert(world: &World, read: &[Read], columns: &[BTreeMap<i32, Result<Vec<u8>, String>>], ids: &[i32]) {
    let declared: String =
        read.iter().map(|read| format!(", c{} {}", read.n, read.column_type.clickhouse_type())).collect();
    world.clickhouse(&format!(
        "CREATE TABLE northwind_dw.everything (id Int64{declared}) ENGINE = MergeTree ORDER BY id SETTINGS index_granularity = 8192"
    ));
    let mut bytes = Vec::new();
    for id in ids {
        bytes.extend_from_slice(&i64::from(*id).to_le_bytes());
        for (read, cells) in read.iter().zip(columns) {
            match &cells[id] {
                Ok(cell) => bytes.extend_from_slice(cell),
                Err(_) => read.column_type.write_default(&mut bytes),
            }
        }
    }
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let query = format!("INSERT INTO {}.everything FORMAT RowBinary", world.dw);
    let mut answer = agent.post(clickhouse_url()).query("query", query).send(&bytes[..]).unwrap();
    let body = answer.body_mut().read_to_string().unwrap();
    assert!(answer.status().is_success(), "{body}");
}

/// By row and column: `None` if it cannot be asked for, else the text or NULL.
pub fn of_source(world: &World, read: &[Read]) -> Vec<Vec<Option<Option<String>>>> {
    let asked: Vec<Option<String>> =
        read.iter().map(|read| read.column_type.in_postgres(&format!("c{}", read.n))).collect();
    let texts: String = asked.iter().map(|sql| format!(", {}", sql.as_deref().unwrap_or("NULL::text"))).collect();
    let rows = world.postgres().query(&format!("SELECT id{texts} FROM everything ORDER BY id"), &[]).unwrap();
    let row = |row: &postgres::Row| {
        asked.iter().enumerate().map(|(n, asked)| asked.as_ref().map(|_| row.get(n + 1))).collect()
    };
    rows.iter().map(row).collect()
}

pub fn of_warehouse(world: &World, read: &[Read]) -> Vec<Vec<Option<String>>> {
    let texts: Vec<String> = read.iter().map(|read| read.column_type.in_clickhouse(&format!("c{}", read.n))).collect();
    let sql =
        format!("SELECT [{}] FROM northwind_dw.everything ORDER BY id FORMAT JSONCompactEachRow", texts.join(", "));
    let answer = world.clickhouse(&sql);
    answer.lines().map(|line| serde_json::from_str::<Vec<Vec<Option<String>>>>(line).unwrap().remove(0)).collect()
}
