//! Streams of the ledger, by name.

use serde::Deserialize;

use crate::warehouse::quote;

/// A stream of the ledger: in a query the tuple of its four columns ([`STREAM_KEY`]).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(from = "(String, String, String, i32)")]
#[allow(missing_docs)]
pub struct StreamKey {
    /// Source table.
    pub source: String,
    pub group_id: String,
    pub topic: String,
    pub stream: i32,
}

/// The columns of a [`StreamKey`], in the order of the tables' keys.
pub(super) const STREAM_KEY: &str = "source, group_id, topic, stream";

impl From<(String, String, String, i32)> for StreamKey {
    fn from((source, group_id, topic, stream): (String, String, String, i32)) -> StreamKey {
        StreamKey { source, group_id, topic, stream }
    }
}

impl StreamKey {
    /// As a condition.
    pub(super) fn sql(&self) -> String {
        let [source, group_id, topic] = self.quoted();
        format!("source = {source} AND group_id = {group_id} AND topic = {topic} AND stream = {}", self.stream)
    }

    /// "Stands behind this row", in the order of the key: column by column, since a comparison of tuples would use no index.
    pub(super) fn behind(&self, seq: u64) -> String {
        let ([source, group_id, topic], stream) = (self.quoted(), self.stream);
        format!(
            "(source > {source} OR source = {source} AND (group_id > {group_id} OR group_id = {group_id} AND (topic > {topic} OR topic = {topic}
              AND (stream > {stream} OR stream = {stream} AND seq > {seq}))))"
        )
    }

    fn quoted(&self) -> [String; 3] {
        [&self.source, &self.group_id, &self.topic].map(|text| quote(text))
    }
}
