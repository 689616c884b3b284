//! The last events of keys, in the log.

use std::collections::HashMap;

use anyhow::Result;

use crate::cdc::{Op, RawEnvelope, Record, Version, key_object};
use crate::checks::checker::Checker;
use crate::exit::try_again;
use crate::kafka::{self, Limits, Reader, Reading, Span};
use crate::reconcile::difference::Difference;
use crate::reconcile::layout::Layout;

/// The log is read in pieces of at most this size.
const PIECE: Limits = Limits { records: 20_000, bytes: 32 << 20 };

/// A differing key whose last event in the log mends it.
#[derive(Debug)]
pub struct InLog {
    /// Kafka partition.
    pub partition: i32,
    /// Kafka offset.
    pub offset: i64,
}

/// What the log says last of a key.
struct LastEvent {
    partition: i32,
    offset: i64,
    /// What it has in the warehouse, whoever reads it.
    version: Version,
    /// The row, in canonical form; `None` if it was deleted.
    row: Option<String>,
}

/// Which of the differing keys does the log mend, and which does it not? `None` if the run was asked to stop: what is not read may mend any of
/// them.
///
/// # Errors
/// The brokers are gone, or the log is.
pub fn sort_out(
    checker: &Checker<'_>,
    layout: &Layout<'_>,
    differing: Vec<Difference>,
) -> Result<Option<(Vec<InLog>, Vec<Difference>)>> {
    if differing.is_empty() {
        return Ok(Some((Vec::new(), Vec::new())));
    }
    let table = layout.table;
    let (topic, group) = (table.topic(&checker.args.prefix.prefix), table.group(&checker.args.prefix.prefix));
    let consumer = kafka::connect(&checker.args.kafka, &group)?;
    let Some(info) = kafka::describe(&consumer, &topic)? else {
        return Ok(Some((Vec::new(), differing)));
    };
    let lineages = checker.warehouse.lineages(table.target)?;
    let Some(numbers) = lineages.numbers(&info.id, info.partitions.len() as u32) else {
        return Ok(Some((Vec::new(), differing)));
    };
    let mut last: HashMap<String, Option<LastEvent>> = differing.iter().map(|d| (d.key.clone(), None)).collect();
    let spans = kafka::log_spans(&consumer, &topic, &info.partitions)?;
    let mut reader = Reader::new(&consumer, &topic, PIECE, None)?;
    for (partition, span) in info.partitions.iter().zip(spans) {
        let mut start = span.start;
        while start < span.end {
            checker.passes("repair-reads-log");
            let window = match reader.window(*partition, Span { start, end: span.end }, None, checker.stop)? {
                Reading::Window(window) => window,
                Reading::OutOfTime => return Ok(None),
                Reading::Late(why) => return Err(try_again(why)),
            };
            for record in &window.records() {
                note(layout, record, numbers.version(record.partition, record.offset)?, &mut last);
            }
            start = window.span.end;
        }
    }
    let mut in_log = Vec::new();
    let mut others = Vec::new();
    for difference in differing {
        let event = last.remove(&difference.key).flatten();
        match event.filter(|event| mends(event, &difference)) {
            Some(LastEvent { partition, offset, .. }) => in_log.push(InLog { partition, offset }),
            None => others.push(difference),
        }
    }
    Ok(Some((in_log, others)))
}

/// Partitions are read one after the other, and a key may have moved to a lower one: its last event is the one that wins in the warehouse.
fn note(layout: &Layout<'_>, record: &Record<'_>, version: Version, last: &mut HashMap<String, Option<LastEvent>>) {
    let Some(key) = record.key.and_then(key_object) else { return };
    let Ok(key) = crate::old::codec(layout.table.name).key(key) else { return };
    let Some(slot) = last.get_mut(&key.text) else { return };
    if slot.as_ref().is_some_and(|noted| noted.version > version) {
        return;
    }
    let Some(Ok(envelope)) = record.value.map(RawEnvelope::parse) else { return };
    let row = match envelope.op.as_deref().and_then(Op::parse) {
        Some(Op::Delete) => None,
        Some(Op::Read | Op::Create | Op::Update) => {
            let lsn = envelope.source.and_then(|source| source.lsn());
            let row = envelope.after.and_then(|after| layout.of_event(after.get(), lsn).ok());
            Some(row.map(|row| row.columns).unwrap_or_default())
        }
        Some(Op::Truncate) | None => return,
    };
    *slot = Some(LastEvent { partition: record.partition, offset: record.offset, version, row });
}

/// It says what the source says, and it wins against what the warehouse has.
fn mends(event: &LastEvent, difference: &Difference) -> bool {
    let says_the_same = event.row.as_deref() == difference.source.as_ref().map(|row| row.columns.as_str());
    let held = difference.event().map_or(0, |held| held.version);
    says_the_same && event.version.get() >= held
}
