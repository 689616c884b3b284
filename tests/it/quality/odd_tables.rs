//! Checks of tables that are not Northwind's: another schema, names that need quotes, keys of several columns. Rows are put on both sides by
//! hand, since it is the questions that are tested.

use lockstep::pipeline::Origin;
use lockstep::tables::Pipeline;

use crate::support::{Outcome, World};

const TABLES: &str = r#"
[tables.prices]
source = { schema = "Shop", table = "Price List" }
target = "dim_prices"
key = ["Country", "article no"]
columns."Country"    = "text not null"
columns."article no" = "integer not null"
columns."Größe"      = "numeric(10,2) null"

[tables.sales]
source = { schema = "Shop", table = "select" }
target = "fact_sales"
key = ["Id"]
columns."Id"         = "bigint not null"
columns."from"       = "text null"
columns."article no" = "integer null"
columns.paid         = "numeric(10,2) null"
references.price = { columns = ["from", "article no"], table = "prices", why = "it has a price", example = { "article no" = 99 } }

[[tables.sales.rules]]
name = "not-too-much"
expect = 'paid <= price."Größe" * :most'
severity = "reject"
why = "nobody pays more"
example = { paid = 1000 }

[[tables.sales.rules]]
name = "switched-off"
expect = "paid > 1000"
severity = "off"
why = "nobody asks for it"
example = { paid = 0 }
"#;

const SOURCE: &str = r#"
CREATE SCHEMA "Shop";
CREATE TABLE "Shop"."Price List" ("Country" text, "article no" integer, "Größe" numeric(10,2), PRIMARY KEY ("Country", "article no"));
CREATE TABLE "Shop"."select" ("Id" bigint PRIMARY KEY, "from" text, "article no" integer, paid numeric(10,2) CHECK (paid > -1));
INSERT INTO "Shop"."Price List" VALUES ('DE', 1, 10), ('DE', 2, NULL);
INSERT INTO "Shop"."select" VALUES (1, 'DE', 1, 20), (2, 'DE', 1, 20.01), (3, 'FR', 1, 99), (4, NULL, 1, 99), (5, 'DE', 2, 99)"#;

/// The pipeline's file, in the world's folder of the system.
fn pipeline(world: &World) -> (String, &'static Pipeline) {
    let northwind = std::fs::read_to_string("pipelines/northwind.toml").unwrap();
    let (head, _) = northwind.split_once("# Kinds of goods.").unwrap();
    let head =
        head.replace("discount = {", "most = {").replace("\"0.25\"", "\"2\"").replace("max = \"1\"", "max = \"9\"");
    let file = std::env::temp_dir().join(format!("{}.toml", world.name));
    std::fs::write(&file, format!("{head}\n{TABLES}")).unwrap();
    (file.display().to_string(), Pipeline::read(Origin::Flag(file)).unwrap_or_else(|problems| panic!("{problems}")))
}

#[test]
fn rules_and_references_of_any_table_are_asked_of_both_sides() {
    let world = World::new("odd_tables");
    let (file, pipeline) = pipeline(&world);
    world.postgres().batch_execute(SOURCE).unwrap();
    for table in &pipeline.tables {
        world.clickhouse(table.ddl(&world.dw).trim_end().trim_end_matches(';'));
    }
    let insert = |into: &str, rows: &str| {
        world.clickhouse(&format!("INSERT INTO northwind_dw.{into}, _version) VALUES {rows}"));
    };
    insert("dim_prices (`Country`, `article no`, `Größe`", "('DE', 1, 10, 1), ('DE', 2, NULL, 1)");
    let sales =
        "(1, 'DE', 1, 20, 1), (2, 'DE', 1, 20.01, 1), (3, 'FR', 1, 99, 1), (4, NULL, 1, 99, 1), (5, 'DE', 2, 99, 1)";
    insert("fact_sales (`Id`, `from`, `article no`, paid", sales);

    let check = |job: &str, args: &[&str]| {
        let of_world =
            ["--pipeline", &file, "--prefix", &world.name, "--slot", "none", "--table", "sales", "--wait", "0s"];
        world.run(job, &[&of_world, args].concat()).expect_exit(0)
    };
    let said = |outcome: &Outcome, columns: &str, from: &str| {
        let run = outcome.summary["run"].as_str().unwrap();
        let sql =
            format!("SELECT {columns} FROM northwind_ops.{from} WHERE run_id = '{run}' ORDER BY ALL FORMAT TSVRaw");
        world.clickhouse(&sql).replace('\t', " ")
    };
    // Row 3 references nothing, so that nobody knows its price; 4 has half a key, 5 a price of NULL.
    let rules = check("check-rules", &[]);
    assert_eq!(said(&rules, "check_name, status", "check_results"), "not-too-much warn\n");
    let shown = r#"2 source {"Id":"2","from":"DE","article no":"1","paid":"20.01","price.Größe":"10"}"#;
    assert_eq!(said(&rules, "row_key, owner, source_value", "check_failures").trim_end(), shown);
    assert_eq!(check("check-rules", &["--limit", "most=3"]).count("pass"), 1);
    let integrity = check("check-integrity", &[]);
    let statuses = "no-placeholders pass\none-live-row-per-key pass\nreferences warn\nsource-constraints pass\n";
    assert_eq!(said(&integrity, "check_name, status", "check_results"), statuses);
    assert_eq!(said(&integrity, "check_name, row_key", "check_failures"), "references 3\n");
    let _ = std::fs::remove_file(file);
}
