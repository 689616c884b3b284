//! The pipeline that is compiled in: what it writes is what stands beside it in the project.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::pipeline::{
    ColumnSpec, Origin, PipelineSpec, TableSpec, WarehouseColumn, connector_file, connector_settings, create_table,
    grants, publication,
};

fn northwind() -> PipelineSpec {
    PipelineSpec::read(&Origin::Embedded).unwrap()
}

const DDL: [(&str, &str); 14] = [
    ("customers", include_str!("../../../clickhouse/init/10_dim_customers.sql")),
    ("categories", include_str!("../../../clickhouse/init/11_dim_categories.sql")),
    ("customer_customer_demo", include_str!("../../../clickhouse/init/12_dim_customer_customer_demo.sql")),
    ("customer_demographics", include_str!("../../../clickhouse/init/13_dim_customer_demographics.sql")),
    ("employee_territories", include_str!("../../../clickhouse/init/14_dim_employee_territories.sql")),
    ("employees", include_str!("../../../clickhouse/init/15_dim_employees.sql")),
    ("products", include_str!("../../../clickhouse/init/16_dim_products.sql")),
    ("region", include_str!("../../../clickhouse/init/17_dim_regions.sql")),
    ("shippers", include_str!("../../../clickhouse/init/18_dim_shippers.sql")),
    ("suppliers", include_str!("../../../clickhouse/init/19_dim_suppliers.sql")),
    ("orders", include_str!("../../../clickhouse/init/20_fact_orders.sql")),
    ("order_details", include_str!("../../../clickhouse/init/21_fact_order_details.sql")),
    ("territories", include_str!("../../../clickhouse/init/22_dim_territories.sql")),
    ("us_states", include_str!("../../../clickhouse/init/23_dim_us_states.sql")),
];
const CONNECTOR: &str = include_str!("../../../connectors/debezium-northwind.json");
const SOURCE: &str = include_str!("../../../postgres/init/02_replication_user.sql");
const JOBS: &str = include_str!("../../../airflow/dags/jobs.json");
const CRON: &str = include_str!("../../../cron/round");
const COMPOSE: &str = include_str!("../../../docker-compose.yml");

/// The warehouse's types of what Northwind has.
fn kept(column: &ColumnSpec) -> WarehouseColumn {
    let source_type = column.source_type.as_str();
    let (column_type, comment) = match source_type {
        "smallint" | "integer" => ("Int64", None),
        "date" => ("Date32", None),
        "bpchar" => ("String", Some("without the trailing blanks of bpchar")),
        "bytea" => (
            "Tuple(Nullable(Int64), Nullable(String))",
            Some("length in bytes, SHA-256 in hex; the bytes themselves are not kept here"),
        ),
        "real" => ("", None),
        _ => ("String", None),
    };
    let column_type = column.warehouse_type.as_ref().map_or(column_type, |own| own.as_str());
    let nullable = column.nullable && source_type != "bytea";
    WarehouseColumn {
        column_type: if nullable { format!("Nullable({column_type})") } else { column_type.to_owned() },
        comment: comment.map(str::to_owned),
    }
}

fn ddl(pipeline: &PipelineSpec, table: &TableSpec) -> String {
    let columns: Vec<WarehouseColumn> = table.columns.iter().map(kept).collect();
    create_table(pipeline, pipeline.warehouse.database.as_str(), table, &columns)
}

#[test]
fn its_ddl_is_that_of_the_project_byte_by_byte() {
    let northwind = northwind();
    assert_eq!(northwind.tables.len(), DDL.len());
    for (name, file) in DDL {
        assert_eq!(ddl(&northwind, northwind.table(name).unwrap()), file, "{name}");
    }
}

#[test]
fn the_connectors_file_has_what_follows_from_it() {
    let northwind = northwind();
    assert_eq!(connector_file(CONNECTOR, &northwind).unwrap(), CONNECTOR);
    let json: Value = serde_json::from_str(CONNECTOR).unwrap();
    for (key, value) in connector_settings(&northwind) {
        assert_eq!(json["config"][key].as_str(), value.as_deref(), "{key}");
    }
}

#[test]
fn another_pipeline_changes_its_own_keys_of_the_connectors_file_and_no_others() {
    let shop = super::read(super::SHOP).unwrap();
    let file: Value = serde_json::from_str(&connector_file(CONNECTOR, &shop).unwrap()).unwrap();
    assert_eq!(file["name"], "shop-cdc-connector");
    assert_eq!(file["config"]["table.include.list"], "public.baskets,public.lines,shop_cdc.heartbeat");
    assert_eq!(file["config"]["heartbeat.action.query"], "UPDATE shop_cdc.heartbeat SET ts = now() WHERE id = 1");
    assert_eq!(file["config"]["database.hostname"], "postgres");
    assert!(!file.to_string().contains("northwind"), "{file}");
}

#[test]
fn grants_and_publication_are_those_of_the_project_byte_by_byte() {
    let northwind = northwind();
    for statement in [grants(&northwind), publication(&northwind)] {
        assert!(SOURCE.contains(&format!("\n{statement}")), "{statement}");
    }
}

#[test]
fn every_table_has_its_job() {
    let northwind = northwind();
    let jobs: Vec<Value> = serde_json::from_str(JOBS).unwrap();
    let of_file: BTreeMap<&str, &Value> = jobs
        .iter()
        .filter(|job| job["kind"] == "ingest")
        .map(|job| (job["name"].as_str().unwrap_or_default(), job))
        .collect();
    assert_eq!(of_file.len(), northwind.tables.len());
    for table in &northwind.tables {
        let job = of_file[table.ingest_job().as_str()];
        assert_eq!(job["table"], table.name.as_str());
        let references: BTreeMap<String, &str> =
            table.references.iter().map(|reference| (reference.rule(), reference.table.as_str())).collect();
        assert_eq!(job["references"], serde_json::json!(references), "{}", table.name);
        let service = format!("\n  {}: ", table.ingest_job());
        assert!(COMPOSE.contains(&service), "{service}");
    }
}

#[test]
fn cron_brings_the_tables_in_their_order() {
    let northwind = northwind();
    let list = CRON.split_once("for table in ").unwrap().1.split_once("; do").unwrap().0.replace("\\\n", "");
    let of_cron: Vec<String> = list.split_whitespace().map(|table| format!("ingest-{table}")).collect();
    let own: Vec<String> = northwind.tables.iter().map(TableSpec::ingest_job).collect();
    assert_eq!(own, of_cron);
}

#[test]
fn it_says_the_same_when_its_tables_are_the_other_way_round() {
    let texts = northwind().texts;
    let text = &texts.0[0].text;
    let (head, tables) = text.split_once("\n[tables.").unwrap();
    let mut tables: Vec<&str> = tables.split("\n[tables.").collect();
    tables.reverse();
    let turned = super::read(&format!("{head}\n[tables.{}", tables.join("\n[tables."))).unwrap();
    let place = |name: &str| turned.tables.iter().position(|table| table.name.as_str() == name);
    for table in &turned.tables {
        for reference in &table.references {
            assert!(place(reference.table.as_str()) <= place(table.name.as_str()), "{}", table.name);
        }
    }
}
