//! Topics with several partitions: Kafka Connect makes them by groups that name them (`topic.creation.groups`).

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::connector::escaped;
use super::spec::PipelineSpec;

const GROUPS: &str = "topic.creation.groups";

/// The pipeline's groups begin with it; others are the file's owner's.
const OWN: &str = "partitions_";

/// Puts a group for each number of partitions before the groups of the file's owner: the first one that names a topic decides.
pub(super) fn put(config: &mut Map<String, Value>, pipeline: &PipelineSpec) {
    let topics = by_partitions(pipeline);
    let listed = config.get(GROUPS).and_then(Value::as_str).unwrap_or_default();
    let others = listed.split(',').map(str::trim).filter(|group| !group.is_empty() && !group.starts_with(OWN));
    let groups: Vec<String> =
        topics.keys().map(|number| format!("{OWN}{number}")).chain(others.map(str::to_owned)).collect();
    if groups.is_empty() {
        config.shift_remove(GROUPS);
    } else {
        config.insert(GROUPS.to_owned(), Value::from(groups.join(",")));
    }
    config.retain(|key, _| !key.starts_with(&format!("topic.creation.{OWN}")));
    // A group inherits nothing from the default but the replication factor.
    let default = "topic.creation.default.";
    let settings: Vec<(String, Value)> = config
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(default)?.to_owned(), value.clone())))
        .filter(|(key, _)| key != "partitions")
        .collect();
    for (number, topics) in topics {
        let key = |name: &str| format!("topic.creation.{OWN}{number}.{name}");
        config.insert(key("include"), Value::from(topics.join(",")));
        config.insert(key("partitions"), Value::from(number.to_string()));
        config.extend(settings.iter().map(|(name, value)| (key(name), value.clone())));
    }
}

/// Number of partitions → the topics that have so many, as regular expressions; without those that have one.
fn by_partitions(pipeline: &PipelineSpec) -> BTreeMap<u32, Vec<String>> {
    let mut topics: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    for table in pipeline.tables.iter().filter(|table| table.partitions() > 1) {
        topics.entry(table.partitions()).or_default().push(escaped(&table.topic(pipeline.topic_prefix.as_str())));
    }
    topics.values_mut().for_each(|topics| topics.sort());
    topics
}
