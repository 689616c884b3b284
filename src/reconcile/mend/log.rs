//! The last events of keys, in the log.

use std::collections::HashMap;

use anyhow::Result;

use crate::cdc::{Record, Version, key_object};
use crate::checks::checker::Checker;
use crate::exit::try_again;
use crate::kafka::{self, LogReader, Reading, Span, WindowLimits};
use crate::reconcile::difference::Difference;
use crate::reconcile::layout::Layout;
use crate::rows::{Decoder, Event, Rows};

/// The log is read in pieces of at most this size.
const PIECE: WindowLimits = WindowLimits { records: 20_000, bytes: 32 << 20 };

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
    says: Says,
}

/// What an event says of a row.
#[derive(Debug, PartialEq, Eq)]
enum Says {
    Deleted,
    /// The texts of its columns.
    Row(Vec<Option<String>>),
    /// Nothing by itself: it is refused, or leaves values out.
    Nothing,
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
    let mut events =
        Events { layout, decoder: Decoder::new(&table.schema, 1, 0), rows: Rows::new(table.columns().len()) };
    let mut reader = LogReader::new(&consumer, &topic, PIECE, None)?;
    for (partition, span) in info.partitions.iter().zip(spans) {
        let mut start = span.start;
        while start < span.end {
            checker.failpoint("repair-reads-log");
            let window = match reader.window(*partition, Span { start, end: span.end }, None, checker.stop)? {
                Reading::Window(window) => window,
                Reading::OutOfTime => return Ok(None),
                Reading::Late(why) => return Err(try_again(why)),
            };
            for record in &window.records() {
                events.note(record, numbers.version(record.partition, record.offset)?, &mut last)?;
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

/// Reads events.
struct Events<'l> {
    layout: &'l Layout<'l>,
    decoder: Decoder<'l>,
    rows: Rows,
}

impl Events<'_> {
    /// Partitions are read one after the other, and a key may have moved to a lower one: its last event is the one that wins in the warehouse.
    fn note(
        &mut self,
        record: &Record<'_>,
        version: Version,
        last: &mut HashMap<String, Option<LastEvent>>,
    ) -> Result<()> {
        let Some(key) = record.key.and_then(key_object) else { return Ok(()) };
        let Ok(key) = self.layout.table.schema.key_in(key) else { return Ok(()) };
        let Some(slot) = last.get_mut(&key) else { return Ok(()) };
        if slot.as_ref().is_some_and(|noted| noted.version > version) {
            return Ok(());
        }
        if let Some(says) = self.said(record)? {
            *slot = Some(LastEvent { partition: record.partition, offset: record.offset, version, says });
        }
        Ok(())
    }

    fn said(&mut self, record: &Record<'_>) -> Result<Option<Says>> {
        self.rows.clear();
        Ok(match self.decoder.decode(record, &mut self.rows)? {
            Event::Change(change) => {
                let row = self.rows.row(change.row);
                let is_deleted = row.standing().deleted;
                Some(if is_deleted {
                    Says::Deleted
                } else {
                    Says::Row(self.layout.of_event(row, change.meta.source.lsn())?)
                })
            }
            Event::ToastIncomplete(_) | Event::Rejected(..) => Some(Says::Nothing),
            Event::Truncate(_) | Event::Tombstone => None,
        })
    }
}

/// It says what the source says, and it wins against what the warehouse has.
fn mends(event: &LastEvent, difference: &Difference) -> bool {
    let says_the_same = match (&event.says, &difference.source) {
        (Says::Row(texts), Some(row)) => *texts == row.texts,
        (Says::Deleted, None) => true,
        _ => false,
    };
    let held = difference.event().map_or(0, |held| held.version);
    says_the_same && event.version.get() >= held
}
