//! The pipeline that is compiled in. That the project's files say what it says is a test of `generate`.

use crate::pipeline::{Origin, PipelineSpec};

#[test]
fn it_says_the_same_when_its_tables_are_the_other_way_round() {
    let texts = PipelineSpec::read(&Origin::Embedded).unwrap().texts;
    let text = &texts.0[0].text;
    let (head, tables) = text.split_once("\n[tables.").unwrap();
    let mut tables: Vec<&str> = tables.split("\n[tables.").collect();
    tables.reverse();
    let turned = format!("{head}\n[tables.{}", tables.join("\n[tables."));
    let name = |file: &str| file.trim_start_matches("pipelines/").to_owned();
    let sql: Vec<(String, &str)> = texts.0[1..].iter().map(|file| (name(&file.name), file.text.as_str())).collect();
    let sql: Vec<(&str, &str)> = sql.iter().map(|(name, text)| (name.as_str(), *text)).collect();
    let turned = super::read_with(&turned, &sql).unwrap();
    assert_eq!(turned.derived.len(), PipelineSpec::read(&Origin::Embedded).unwrap().derived.len());
    let place = |name: &str| turned.tables.iter().position(|table| table.name.as_str() == name);
    for table in &turned.tables {
        for reference in &table.references {
            assert!(place(reference.table.as_str()) <= place(table.name.as_str()), "{}", table.name);
        }
    }
}
