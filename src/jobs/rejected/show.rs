//! One rejected record, whole.

use std::fmt::Write;

use crate::cdc::Version;
use crate::jobs::rejected::table::{key, printable, time};
use crate::quarantine::Kept;

/// Where it stands, what it is, why it was refused.
pub fn whole(kept: &Kept) -> String {
    let lsn = kept.lsn.map_or("not readable".to_owned(), |lsn| format!("{} ({lsn})", lsn.get()));
    let lines = [
        ("table", kept.table.clone()),
        ("topic", format!("{} (id {})", kept.topic, kept.topic_id)),
        ("place", format!("partition {}, offset {}", kept.partition, kept.offset)),
        ("written to Kafka", format!("{} UTC", time(kept.record_ts))),
        ("version", format!("{} (generation {})", kept.version, Version::generation_of(kept.version))),
        ("LSN", lsn),
        ("status", format!("{}, {} attempts", kept.status, kept.attempt)),
        ("since", format!("{} UTC, run {}", time(kept.rejected_at), kept.run_id)),
        ("rule", kept.rule.clone()),
        ("detail", printable(&kept.detail)),
        ("row key", key(&kept.row_key)),
        ("key", bytes(&kept.key)),
        ("headers", printable(&kept.headers)),
        ("value", bytes(&kept.payload)),
    ];
    let mut out = String::new();
    for (name, text) in lines {
        let _ = writeln!(out, "{name:<17} {text}");
    }
    out
}

/// As text if that is what it is, else as hexadecimal digits.
fn bytes(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        _ if bytes.is_empty() => "empty".to_owned(),
        Ok(text) => text.split('\n').map(printable).collect::<Vec<_>>().join("\n"),
        Err(_) => {
            let hex = hex::encode(bytes);
            format!("{} bytes that are no UTF-8: {hex}", bytes.len())
        }
    }
}
