//! Amounts: the warehouse keeps four digits behind the point. What has more is refused with its value, never rounded.

use serde_json::{Value, json};

use crate::support::event::row;
use crate::support::{Message, World};

/// A change of a product's price; the price as it stands in the message.
fn price(product_id: i64, price: &str, lsn: u64) -> Message {
    let after = json!({
        "product_id": product_id, "product_name": "Chai", "supplier_id": 1, "category_id": 1, "quantity_per_unit": null,
        "unit_price": Value::Null, "units_in_stock": 1, "units_on_order": 0, "reorder_level": 1, "discontinued": 0,
    });
    let mut message = row("u", "products", &json!({"product_id": product_id}), &after, lsn);
    let text = String::from_utf8(message.value.take().unwrap()).unwrap();
    message.value = Some(text.replace(r#""unit_price":null"#, &format!(r#""unit_price":{price}"#)).into_bytes());
    message
}

#[test]
fn an_amount_with_more_than_four_decimals_is_refused_and_never_rounded() {
    let world = World::new("amounts");
    world.create_topic_of("products", 1, &[]);
    let refused = [
        "123456.78901",
        "1234.56789",
        "1234.03125",
        "200.00012",
        "999999999.12345",
        "12345678901.23456",
        r#""0.00001""#,
    ];
    let written = [
        ("123456.7891", "123456.7891"),
        ("999999999.1235", "999999999.1235"),
        ("14.719999", "14.72"),
        ("0.15000000596046448", "0.15"),
        ("1234.56005859375", "1234.56"),
        ("123456.78900000001", "123456.789"),
        (r#""0.5000""#, "0.5"),
    ];
    let mut messages: Vec<Message> =
        refused.iter().enumerate().map(|(i, text)| price(1 + i as i64, text, 10)).collect();
    messages.extend(written.iter().enumerate().map(|(i, (text, _))| price(10 + i as i64, text, 20)));
    world.produce_to("products", &messages);

    let outcome = world.ingest_table("products", &[]).expect_exit(0);
    let kept = "SELECT groupArray(toString(unit_price)) FROM (SELECT unit_price FROM northwind_dw.dim_products FINAL ORDER BY product_id) FORMAT TSVRaw";
    let expected: Vec<String> = written.iter().map(|(_, text)| format!("'{text}'")).collect();
    assert_eq!(world.clickhouse(kept), format!("[{}]\n", expected.join(",")));
    assert_eq!(outcome.summary["rejected_by_rule"], json!({"decode": refused.len()}));
    for (offset, text) in refused.iter().enumerate() {
        let detail = world.detail(offset as i64);
        let value = text.trim_matches('"');
        assert!(detail.starts_with("after: unit_price: invalid value") && detail.contains(value), "{text}: {detail}");
    }
}
