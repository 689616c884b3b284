//! From windows of the ledger to the rows that stand in them.

use std::collections::HashSet;

use crate::ledger::unacked_window::UnackedWindow;

/// Of more spans than these in one table the closest are read as one: that touches too much, which only costs work.
const MOST_SPANS: usize = 100;

/// Offsets `start..end` of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OffsetSpan {
    partition: i32,
    start: i64,
    end: i64,
}

/// Spans that are kept while windows are read; of more the closest are joined on the way.
const MOST_KEPT: usize = 10_000;

/// The offsets of a table's windows, with neighbours joined.
#[derive(Debug, Default)]
pub(super) struct Spans(Vec<OffsetSpan>);

impl Spans {
    /// Takes in a window: mostly a neighbour of the one before it.
    pub fn add(&mut self, window: &UnackedWindow) {
        let span = OffsetSpan { partition: window.partition, start: window.start_offset, end: window.end_offset };
        match self.0.last_mut().filter(|last| last.partition == span.partition && last.end == span.start) {
            Some(last) => last.end = span.end,
            None => self.0.push(span),
        }
        if self.0.len() > 2 * MOST_KEPT {
            self.0 = joined(std::mem::take(&mut self.0), MOST_KEPT);
        }
    }

    /// As few spans as a statement should name.
    pub fn closest(&self) -> Vec<OffsetSpan> {
        joined(self.0.clone(), MOST_SPANS)
    }
}

fn joined(mut spans: Vec<OffsetSpan>, most: usize) -> Vec<OffsetSpan> {
    spans.sort_unstable();
    join_closest(neighbours(&spans), most, OffsetSpan::gap_to, |last, next| last.end = last.end.max(next.end))
}

impl OffsetSpan {
    /// How many offsets lie between two spans of one partition.
    fn gap_to(&self, next: &OffsetSpan) -> Option<i64> {
        (self.partition == next.partition).then(|| next.start - self.end)
    }
}

fn neighbours(sorted: &[OffsetSpan]) -> Vec<OffsetSpan> {
    let mut joined: Vec<OffsetSpan> = Vec::new();
    for span in sorted {
        match joined.last_mut() {
            Some(last) if last.gap_to(span).is_some_and(|gap| gap < 1) => {
                last.end = last.end.max(span.end);
            }
            _ => joined.push(*span),
        }
    }
    joined
}

/// Closes the smallest gaps in a row of pieces, until `most` pieces are left. A gap that is `None` stays.
pub fn join_closest<T>(
    pieces: Vec<T>,
    most: usize,
    gap: impl Fn(&T, &T) -> Option<i64>,
    join: impl Fn(&mut T, T),
) -> Vec<T> {
    let mut gaps: Vec<(i64, usize)> =
        (1..pieces.len()).filter_map(|i| Some((gap(&pieces[i - 1], &pieces[i])?, i))).collect();
    gaps.sort_unstable();
    gaps.truncate(pieces.len().saturating_sub(most));
    let closed: HashSet<usize> = gaps.into_iter().map(|(_, i)| i).collect();
    let mut joined: Vec<T> = Vec::new();
    for (i, piece) in pieces.into_iter().enumerate() {
        match joined.last_mut().filter(|_| closed.contains(&i)) {
            Some(last) => join(last, piece),
            None => joined.push(piece),
        }
    }
    joined
}

/// SQL for "stands at one of these offsets"; `None` if there are none. A topic's generation is not looked at: the marks of a
/// TRUNCATE in a recreated topic stand at an offset of the new topic in rows of the old generation.
pub fn at_offsets(spans: &[OffsetSpan], partition: &str, offset: &str) -> Option<String> {
    let at = |OffsetSpan { partition: number, start, end }: &OffsetSpan| {
        format!("({partition} = {number} AND {offset} >= {start} AND {offset} < {end})")
    };
    (!spans.is_empty()).then(|| format!("({})", spans.iter().map(at).collect::<Vec<_>>().join(" OR ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(partition: i32, start_offset: i64, end_offset: i64) -> UnackedWindow {
        UnackedWindow { partition, start_offset, end_offset, ..UnackedWindow::default() }
    }

    fn spans_of(windows: &[UnackedWindow]) -> Vec<OffsetSpan> {
        let mut spans = Spans::default();
        windows.iter().for_each(|window| spans.add(window));
        spans.closest()
    }

    #[test]
    fn neighbours_are_read_as_one_span() {
        let windows =
            [window(0, 50, 100), window(0, 0, 50), window(0, 10, 20), window(0, 101, 102), window(1, 102, 103)];
        let span = |partition, start, end| OffsetSpan { partition, start, end };
        assert_eq!(spans_of(&windows), [span(0, 0, 100), span(0, 101, 102), span(1, 102, 103)]);
    }

    #[test]
    fn of_very_many_spans_the_closest_are_read_as_one() {
        let far = |i: i32| if i >= 150 { 1_000_000 } else { 0 };
        let start = |i: i32| i64::from(10 * i + far(i));
        let windows: Vec<UnackedWindow> = (0..200).map(|i| window(i % 2, start(i), start(i) + 1)).collect();
        let spans = spans_of(&windows);
        assert_eq!(spans.len(), 100);
        let length: i64 = spans.iter().map(|span| span.end - span.start).sum();
        assert_eq!(length, 200 + 100 * 19, "a hundred gaps are closed, and not those of a million");
        let is_covered = |w: &UnackedWindow| {
            spans.iter().any(|s| s.partition == w.partition && s.start <= w.start_offset && w.end_offset <= s.end)
        };
        assert!(windows.iter().all(is_covered));
    }

    #[test]
    fn however_many_windows_there_are_few_spans_are_kept() {
        let windows = |n: i64| (0..n).map(|i| window(0, 10 * i, 10 * i + 1 + i % 2));
        let mut spans = Spans::default();
        for window in windows(100_000) {
            spans.add(&window);
            assert!(spans.0.len() <= 2 * MOST_KEPT);
        }
        let spans = spans.closest();
        assert_eq!(spans.len(), 100);
        let mut at = 0;
        for window in windows(100_000) {
            at += usize::from(spans[at].end < window.end_offset);
            assert!(spans[at].start <= window.start_offset && window.end_offset <= spans[at].end);
        }
    }

    #[test]
    fn partitions_are_never_joined() {
        let windows: Vec<UnackedWindow> = (0..150).map(|i| window(i, 0, 1)).collect();
        assert_eq!(spans_of(&windows).len(), 150);
    }
}
