//! What the ledger is told of a batch: a window for each contiguous group of its records, not one from the lowest to the highest.
//! Whoever follows the ledger would do all that lies between them again.

use crate::jobs::replay::batch::Replayed;
use crate::jobs::replay::run::Replay;
use crate::kafka::Span;
use crate::ledger::{Mode, WindowRow, join_closest};
use crate::rows::Event;

/// Windows of a batch at most; the closest groups of a batch that is more scattered are told as one.
const MOST_WINDOWS: usize = 100;

/// Records that stand side by side, and what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    pub span: Span,
    pub written: u64,
    pub rejected: u64,
    pub truncates: u64,
}

impl Group {
    fn of_record(offset: i64) -> Group {
        Group { span: Span { start: offset, end: offset + 1 }, written: 0, rejected: 0, truncates: 0 }
    }

    fn take_in(&mut self, next: Group) {
        self.span.end = next.span.end;
        self.written += next.written;
        self.rejected += next.rejected;
        self.truncates += next.truncates;
    }

    fn has_landed(&self) -> bool {
        self.written + self.truncates > 0
    }
}

/// The groups of which something has landed, from records in the log's order.
fn groups(records: impl Iterator<Item = Group>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for record in records {
        match groups.last_mut().filter(|last| last.span.end == record.span.start) {
            Some(last) => last.take_in(record),
            None => groups.push(record),
        }
    }
    groups.retain(Group::has_landed);
    join_closest(groups, MOST_WINDOWS, |last, next| Some(next.span.start - last.span.end), Group::take_in)
}

impl Replayed<'_> {
    /// Where something has landed.
    pub fn landed_groups(&self) -> Vec<Group> {
        let judged = self.kept.iter().zip(&self.batch.events).map(|(kept, event)| {
            let record = Group::of_record(kept.offset);
            match event {
                Event::Change(_) => Group { written: 1, ..record },
                Event::Truncate(_) => Group { truncates: 1, ..record },
                Event::Rejected(..) => Group { rejected: 1, ..record },
                Event::ToastIncomplete(_) | Event::Tombstone => record,
            }
        });
        let landed = self.landed.iter().map(|kept| Group { written: 1, ..Group::of_record(kept.offset) });
        let superseded = self.superseded.iter().map(|kept| Group::of_record(kept.offset));
        let mut records: Vec<Group> = judged.chain(landed).chain(superseded).collect();
        records.sort_unstable_by_key(|record| record.span.start);
        groups(records.into_iter())
    }
}

impl Replay {
    /// The ledger rows: whoever follows the warehouse by the ledger sees these rows, too. They move no group.
    pub fn window_rows(&self, replayed: &Replayed<'_>, groups: &[Group], hash: u128) -> Vec<WindowRow> {
        let row = |group: &Group| WindowRow {
            source: replayed.batch.table.name.to_owned(),
            stream: Mode::Replay.stream(replayed.range.partition),
            topic: replayed.range.topic.clone(),
            topic_id: replayed.range.topic_id.clone(),
            partition: replayed.range.partition,
            generation: replayed.range.generation,
            mode: Mode::Replay.name().to_owned(),
            start_offset: group.span.start,
            end_offset: group.span.end,
            written: group.written,
            rejected: group.rejected,
            truncates: group.truncates,
            token: self.token(replayed, group.span, hash),
            job: self.run.job.clone(),
            run_id: self.run.id.clone(),
            ..WindowRow::default()
        };
        groups.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(offset: i64) -> Group {
        Group { written: 1, ..Group::of_record(offset) }
    }

    fn refused(offset: i64) -> Group {
        Group { rejected: 1, ..Group::of_record(offset) }
    }

    #[test]
    fn a_group_is_told_of_if_something_has_landed_in_it() {
        let records = [refused(0), refused(1), written(5), refused(6), written(7), written(9), refused(11)];
        let told = groups(records.into_iter());
        let spans: Vec<(i64, i64, u64, u64)> =
            told.iter().map(|g| (g.span.start, g.span.end, g.written, g.rejected)).collect();
        assert_eq!(spans, [(5, 8, 2, 1), (9, 10, 1, 0)]);
    }

    #[test]
    fn a_scattered_batch_joins_what_stands_closest() {
        let near = (0..200).map(|i| written(2 * i));
        let far = (1..60).map(|i| written(1_000 * i));
        let told = groups(near.chain(far));
        assert_eq!((told.len(), told.iter().map(|group| group.written).sum::<u64>()), (100, 259));
        assert!(told.iter().all(|group| group.span.len() < 1_000));
    }
}
