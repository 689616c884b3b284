//! The source that comes with the project keeps its own rules.

use crate::support::{World, root};

#[test]
fn northwind_keeps_every_business_rule() {
    let world = World::new("source_rules");
    let rules = std::fs::read_to_string(root().join("tests/sql/source_rules.sql")).unwrap();
    let offending = world.postgres().query(rules.trim_end().trim_end_matches(';'), &[]).unwrap();
    let offending: Vec<(String, String)> = offending.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(offending, []);
}

#[test]
fn a_broken_rule_is_noticed() {
    let world = World::new("source_broken");
    let mut source = world.postgres();
    source.batch_execute("UPDATE order_details SET discount = 1.5 WHERE order_id = 10248 AND product_id = (SELECT min(product_id) FROM order_details WHERE order_id = 10248)").unwrap();
    let rules = std::fs::read_to_string(root().join("tests/sql/source_rules.sql")).unwrap();
    assert_eq!(source.query(rules.trim_end().trim_end_matches(';'), &[]).unwrap().len(), 1);
}
