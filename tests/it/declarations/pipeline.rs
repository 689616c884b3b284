//! The pipeline's file says of Northwind's tables what PostgreSQL's catalogue says.

use std::collections::BTreeSet;

use lockstep::cdc::DECODE;
use lockstep::pipeline::{
    DatabaseName, ENGINE_RULES, Origin, PipelineSpec, SYSTEM_COLUMNS, SourceName, SourceTable, WarehouseColumn,
    create_table, name_in_sql,
};
use lockstep::rows;
use lockstep::validate::NOT_IN_POSTGRES;

use crate::support::{World, clickhouse};

fn northwind() -> PipelineSpec {
    PipelineSpec::read(&Origin::Embedded).unwrap()
}

#[test]
fn the_engines_own_names_are_known() {
    assert!(ENGINE_RULES.contains(&DECODE) && ENGINE_RULES.contains(&NOT_IN_POSTGRES));
    assert_eq!(SYSTEM_COLUMNS.map(|column| column.name), rows::SYSTEM_COLUMNS);
}

#[test]
fn its_columns_are_those_of_the_catalogue() {
    let world = World::new("pipeline_columns");
    let mut source = world.postgres();
    let columns = "SELECT a.attname::text,
                          format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE ' null' END
                   FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped
                   ORDER BY a.attnum";
    let key = "SELECT a.attname::text
               FROM pg_index i
               JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
               CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS part (attnum, place)
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = part.attnum
               WHERE n.nspname = $1 AND c.relname = $2 AND i.indisprimary
               ORDER BY part.place";
    for table in &northwind().tables {
        let name: [&(dyn postgres::types::ToSql + Sync); 2] =
            [&table.source.schema.as_str(), &table.source.table.as_str()];
        let of_catalogue: Vec<(String, String)> =
            source.query(columns, &name).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
        let of_file: Vec<(String, String)> = table
            .columns
            .iter()
            .map(|column| {
                let null = if column.nullable { "null" } else { "not null" };
                (column.name.to_string(), format!("{} {null}", column.source_type))
            })
            .collect();
        assert_eq!(of_file, of_catalogue, "{}", table.name);
        let of_catalogue: Vec<String> = source.query(key, &name).unwrap().iter().map(|row| row.get(0)).collect();
        let of_file: Vec<String> = table.key.iter().map(ToString::to_string).collect();
        assert_eq!(of_file, of_catalogue, "the key of {}", table.name);
    }
}

#[test]
fn its_references_are_the_foreign_keys_of_the_catalogue() {
    let world = World::new("pipeline_references");
    let foreign_keys = "SELECT child.relname::text, parent.relname::text,
                               (SELECT string_agg(a.attname, ',' ORDER BY place)
                                FROM unnest(f.conkey) WITH ORDINALITY AS part (attnum, place)
                                JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = part.attnum)
                        FROM pg_constraint f
                        JOIN pg_class child ON child.oid = f.conrelid
                        JOIN pg_class parent ON parent.oid = f.confrelid
                        WHERE f.contype = 'f' AND f.connamespace = 'public'::regnamespace";
    let of_catalogue: BTreeSet<(String, String, String)> = world
        .postgres()
        .query(foreign_keys, &[])
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect();
    let mut of_file = BTreeSet::new();
    for table in &northwind().tables {
        for reference in &table.references {
            let columns: Vec<&str> = reference.columns.iter().map(|column| column.as_str()).collect();
            of_file.insert((table.name.to_string(), reference.table.to_string(), columns.join(",")));
        }
    }
    assert_eq!(of_file, of_catalogue);
}

#[test]
fn a_table_with_odd_names_can_be_made() {
    let names = [
        "constraint",
        "false",
        "inf",
        "nan",
        "not",
        "null",
        "projection",
        "true",
        "index",
        "order",
        "from",
        "User",
        "Größe (m²)",
        "a`b\\",
        "it's",
        "a\"b",
    ];
    let quoted = names.map(|name| format!("{name:?}"));
    let embedded = PipelineSpec::read(&Origin::Embedded).unwrap();
    let text = &embedded.texts.files()[0].text;
    // Without the derived tables, whose SQL is not beside the new file.
    let mut text = text.split_once("\n[derived.").unwrap().0.to_owned() + "\n";
    text += "[tables.odd]\nsource = { schema = \"S\", table = \"order\" }\ntarget = \"odd\"\n";
    text += &format!("key = [{}]\n", quoted.join(", "));
    text += &quoted.map(|name| format!("columns.{name} = \"text not null\"\n")).concat();
    let file = std::env::temp_dir().join(format!("odd_{}.toml", std::process::id()));
    std::fs::write(&file, text).unwrap();
    let pipeline = PipelineSpec::read(&Origin::Flag(file.clone()));
    std::fs::remove_file(file).unwrap();
    let pipeline = pipeline.unwrap();
    let odd = pipeline.table("odd").unwrap();
    let columns = names.map(|_| WarehouseColumn { column_type: "String".to_owned(), comment: Some("it's".to_owned()) });
    let world = World::new("pipeline_odd");
    let database = DatabaseName::new(&world.dw).unwrap();
    clickhouse(create_table(&pipeline, database.as_str(), odd, &columns).trim_end().trim_end_matches(';'));
    let made = world.clickhouse(
        "SELECT toJSONString(groupArray(name)) FROM
            (SELECT name FROM system.columns WHERE database = 'northwind_dw' AND table = 'odd' AND is_in_sorting_key ORDER BY position)
         FORMAT TSVRaw",
    );
    assert_eq!(serde_json::from_str::<Vec<String>>(&made).unwrap(), names);
}

/// A schema or table may be named `order` or `User`.
#[test]
fn names_are_quoted_where_postgres_does_so() {
    let world = World::new("pipeline_names");
    let mut source = world.postgres();
    let words = source.query("SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')", &[]).unwrap();
    let words: Vec<String> = words.iter().map(|row| row.get(0)).collect();
    let odd = ["orders", "User", "größe", "a.b", "o\"x", "2nd", "_x"].map(str::to_owned);
    for name in words.into_iter().chain(odd) {
        let part = SourceName::new(&name).unwrap();
        let written = name_in_sql(&SourceTable { schema: part.clone(), table: part });
        let quoted: String = source.query_one("SELECT format('%I.%I', $1::text, $1::text)", &[&name]).unwrap().get(0);
        assert_eq!(written, quoted);
    }
}
