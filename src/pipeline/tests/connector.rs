//! The connector's file: what follows from the pipeline changes, and nothing else.

use serde_json::{Value, json};

use crate::pipeline::connector_file;
use crate::pipeline::tests::{SHOP, read};

/// The configuration after a pipeline has been put into it.
fn config(before: &Value, pipeline: &str) -> Value {
    let file = connector_file(&before.to_string(), &read(pipeline).unwrap()).unwrap();
    let file: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(file["name"], "shop-cdc-connector");
    file["config"].clone()
}

fn of_another() -> Value {
    json!({"name": "another", "config": {
        "database.hostname": "postgres",
        "table.include.list": "public.other",
        "topic.creation.default.partitions": "3",
        "topic.creation.default.replication.factor": "1",
        "topic.creation.default.retention.ms": "-1",
        "topic.creation.groups": "heartbeat",
        "topic.creation.heartbeat.partitions": "1",
    }})
}

#[test]
fn a_pipeline_changes_its_own_keys_and_no_others() {
    let config = config(&of_another(), SHOP);
    for (key, value) in [
        ("table.include.list", "public.baskets,public.lines,shop_cdc.heartbeat"),
        ("column.exclude.list", "public\\.lines\\.secret"),
        ("heartbeat.action.query", "UPDATE shop_cdc.heartbeat SET ts = now() WHERE id = 1"),
        ("signal.data.collection", "shop_cdc.signal"),
        ("database.hostname", "postgres"),
        ("topic.creation.default.partitions", "1"),
        ("topic.creation.groups", "heartbeat"),
    ] {
        assert_eq!(config[key], value, "{key}");
    }
}

#[test]
fn topics_with_several_partitions_are_made_by_groups_of_their_own() {
    let partitioned = SHOP.replace("target = \"lines\"", "target = \"lines\"\npartitions = 6");
    let six = config(&of_another(), &partitioned);
    for (key, value) in [
        ("topic.creation.groups", "partitions_6,heartbeat"),
        ("topic.creation.partitions_6.include", "shop\\.public\\.lines"),
        ("topic.creation.partitions_6.partitions", "6"),
        ("topic.creation.partitions_6.retention.ms", "-1"),
    ] {
        assert_eq!(six[key], value, "{key}");
    }
    // And they go with the tables that have them.
    assert_eq!(config(&json!({"config": six}), SHOP), config(&of_another(), SHOP));
}

#[test]
fn a_number_of_partitions_is_one() {
    for wrong in ["0", "1001", "-1", "\"6\"", "6.0", "0x6"] {
        let text = SHOP.replace("target = \"lines\"", &format!("target = \"lines\"\npartitions = {wrong}"));
        let problem = read(&text).unwrap_err().to_string();
        assert!(problem.contains("partitions is no whole number from 1 to 1000; write partitions = 6"), "{problem}");
    }
}
