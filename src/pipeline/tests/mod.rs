//! Tests of the pipeline's file as a whole.

mod connector;
mod derived;
mod embedded;
mod files;
mod mutations;
mod problems;
mod sql;

use crate::pipeline::{Origin, PipelineSpec, Problems, TextFile, Texts, parse};

/// A pipeline of one text.
fn read(text: &str) -> Result<PipelineSpec, Problems> {
    read_with(text, &[])
}

/// A pipeline of one text and files of SQL.
fn read_with(text: &str, sql: &[(&str, &str)]) -> Result<PipelineSpec, Problems> {
    let files = [("x.toml", text)].into_iter().chain(sql.iter().copied());
    let files = files.map(|(name, text)| TextFile { name: name.to_owned(), text: text.to_owned() });
    parse(Texts(files.collect()), 1, Vec::new())
}

/// The smallest pipeline there is, with a parent and a child.
const SHOP: &str = r#"[pipeline]
name = "shop"
topic_prefix = "shop"
[connector]
name = "shop-cdc-connector"
database = "shop"
role = "debezium"
slot = "shop_slot"
publication = "shop_publication"
heartbeat = { schema = "shop_cdc", table = "heartbeat" }
signal = { schema = "shop_cdc", table = "signal" }
decimal_handling = "string"
time_precision = "adaptive"
binary_handling = "bytes"
[warehouse]
database = "shop_dw"
ops = "shop_ops"
[limits]
most = { type = "integer", value = "5", min = "0", max = "10" }
[tables.lines]
source = { schema = "public", table = "lines" }
target = "lines"
key = ["id", "part"]
clickhouse = { order_by = ["part", "id"], partition_by = "id % 10", settings = { index_granularity = 512, storage_policy = "hot's" } }
columns.id = "bigint not null"
columns.part = "text NOT  NULL"
columns.basket = "bigint null"
columns.amount = { type = "numeric(10,2) null", as = "Decimal(20, 2)", was = "sum" }
columns.secret = { exclude = "personal data" }
references.basket_row = { columns = ["basket"], table = "baskets", why = "a line of nothing", example = { basket = 99 } }
[[tables.lines.rules]]
name = "few"
expect = 'amount <= :most'
severity = "warn"
why = "more is a slip"
example = { amount = 11.5, basket = { null = true } }
unchanged = ["basket_row"]
[tables.baskets]
source = { schema = "public", table = "baskets" }
target = "baskets"
key = ["id"]
columns.id = "bigint not null"
"#;

/// The small pipeline with a text of it changed.
fn changed(from: &str, to: &str) -> Result<PipelineSpec, Problems> {
    assert_eq!(SHOP.matches(from).count(), 1, "{from}");
    read(&SHOP.replace(from, to))
}

#[test]
fn a_pipeline_is_what_its_file_says() {
    let shop = read(SHOP).unwrap();
    let names: Vec<&str> = shop.tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["baskets", "lines"], "a table is behind what it references");
    let lines = shop.table("lines").unwrap();
    let amount = lines.column("amount").unwrap();
    assert_eq!((amount.source_type.as_str(), amount.nullable), ("numeric(10,2)", true));
    assert_eq!(amount.warehouse_type.as_ref().unwrap().as_str(), "Decimal(20, 2)");
    assert_eq!(amount.was.as_ref().unwrap().value, "sum");
    let part = lines.column("part").unwrap();
    assert_eq!((part.source_type.as_str(), part.nullable), ("text", false));
    assert!(lines.column("secret").is_none());
    assert_eq!((lines.excluded[0].name.as_str(), lines.excluded[0].reason.as_str()), ("secret", "personal data"));
    assert_eq!(lines.references[0].rule(), "basket-row-exists");
    assert_eq!(lines.rules[0].example.to_json().to_string(), r#"{"amount":11.5,"basket":null}"#);
    assert_eq!(lines.rules[0].unchanged[0].value, "basket_row");
    let (_, line, column) = shop.texts.place(&shop.texts.within(&lines.rules[0].expect, "amount ".len()));
    assert_eq!((line, column), (33, 18));
    let names = (lines.ingest_job(), lines.group(&shop.name), lines.topic(shop.topic_prefix.as_str()), lines.view());
    assert_eq!((names.0.as_str(), names.1.as_str()), ("ingest-lines", "shop.ingest-lines"));
    assert_eq!((names.2.as_str(), names.3.as_str()), ("shop.public.lines", "v_lines"));
}

#[test]
fn a_reference_may_name_the_others_key_in_any_order() {
    let reference = r#"references.other = { columns = ["id", "part"], to = ["part", "id"], table = "lines", why = "w", example = { id = 1 } }"#;
    let shop = read(&format!("{SHOP}columns.part = \"text not null\"\n{reference}\n")).unwrap();
    let columns = &shop.table("baskets").unwrap().references[0].columns;
    assert_eq!(columns.iter().map(|column| column.as_str()).collect::<Vec<_>>(), ["part", "id"]);
}

#[test]
fn names_of_the_source_may_be_anything() {
    let odd = SHOP
        .replace("table = \"baskets\" }\ntarget", "table = \"Wagen, \\\"groß\\\" v1.0\" }\ntarget")
        .replace("columns.basket =", "columns.\"Order #\" =")
        .replace("[\"basket\"]", "[\"Order #\"]")
        .replace("{ basket = 99 }", "{ \"Order #\" = 99 }")
        .replace(", basket = { null = true }", "");
    let shop = read(&odd).unwrap();
    assert_eq!(shop.table("baskets").unwrap().topic(shop.topic_prefix.as_str()), "shop.public.Wagen___gro___v1.0");
    assert_eq!(
        super::table_include_list(&shop),
        r#"(?-i)public\.Wagen\, "groß" v1\.0,public.lines,shop_cdc.heartbeat"#
    );
    assert!(super::grants(&shop, "debezium").contains("    public.\"Wagen, \"\"groß\"\" v1.0\", public.lines\n"));
    let column = shop.table("lines").unwrap().column("Order #").unwrap();
    assert_eq!(shop.texts.place(&column.name.at), ("x.toml", 27, 9));
}

#[test]
fn the_small_things_of_a_table_are_in_its_ddl() {
    let shop = read(SHOP).unwrap();
    let lines = shop.table("lines").unwrap();
    let columns = lines
        .columns
        .iter()
        .map(|column| super::WarehouseColumn { column_type: column.source_type.value.clone(), comment: None });
    let ddl = super::create_table(&shop, shop.warehouse.database.as_str(), lines, &columns.collect::<Vec<_>>());
    assert!(ddl.contains("CREATE TABLE IF NOT EXISTS shop_dw.lines\n"), "{ddl}");
    let end = "\nPARTITION BY id % 10\nORDER BY (part, id)\nSETTINGS non_replicated_deduplication_window = 10000, index_granularity = 512, storage_policy = 'hot''s';\n";
    assert!(ddl.ends_with(end), "{ddl}");
    assert!(!ddl.contains("secret"), "{ddl}");
}

#[test]
fn excluded_columns_are_not_sent_at_all() {
    let shop = read(SHOP).unwrap();
    let settings = super::connector_settings(&shop);
    let excluded = settings.iter().find(|(key, _)| *key == "column.exclude.list").unwrap();
    assert_eq!(excluded.1.as_deref(), Some(r"public\.lines\.secret"));
}

#[test]
fn dots_of_names_are_told_from_those_between_them() {
    let shop = changed("table = \"lines\" }\ntarget", "table = \"Li.nes\" }\ntarget").unwrap();
    let settings = super::connector_settings(&shop);
    let value = |name: &str| settings.iter().find(|(key, _)| *key == name).unwrap().1.clone().unwrap();
    assert_eq!(value("table.include.list"), r"(?-i)public\.Li\.nes,public.baskets,shop_cdc.heartbeat");
    assert_eq!(value("column.exclude.list"), r"public\.Li\.nes\.secret");
}

#[test]
fn the_embedded_pipeline_is_found_last() {
    let folder = tempfile::tempdir().unwrap();
    let found = |flag: Option<&str>, variable: Option<&str>| {
        Origin::find(flag.map(Into::into), variable.map(Into::into), folder.path())
    };
    assert_eq!(found(None, None), Origin::Embedded);
    assert_eq!(found(None, Some("")), Origin::Embedded);
    std::fs::create_dir(folder.path().join("lockstep.toml")).unwrap();
    assert_eq!(found(None, None), Origin::Folder(folder.path().join("lockstep.toml")), "it is there, if not readable");
    assert_eq!(found(None, Some("b.toml")), Origin::Variable("b.toml".into()));
    assert_eq!(found(Some("a.toml"), Some("b.toml")), Origin::Flag("a.toml".into()));
    assert_eq!(found(Some("a.toml"), None).to_string(), "--pipeline a.toml");
}
