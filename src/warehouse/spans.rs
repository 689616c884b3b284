//! From windows of the ledger to the rows that stand in them.

use std::collections::HashSet;

use crate::warehouse::OpenWindow;

/// Of more spans than these in one table the closest are read as one: that touches too much, which only costs work.
const MOST_SPANS: usize = 100;

/// Offsets `start..end` of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OffsetSpan {
    partition: i32,
    start: i64,
    end: i64,
}

/// The offsets of a table's windows, with neighbours joined.
pub fn spans_of(source: &str, windows: &[OpenWindow]) -> Vec<OffsetSpan> {
    let of_table = windows.iter().filter(|window| window.source == source);
    let mut spans: Vec<OffsetSpan> = of_table
        .map(|window| OffsetSpan { partition: window.partition, start: window.start_offset, end: window.end_offset })
        .collect();
    spans.sort_unstable();
    join_closest(neighbours(&spans), MOST_SPANS, OffsetSpan::gap_to, |last, next| last.end = last.end.max(next.end))
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

    fn window(source: &str, partition: i32, start_offset: i64, end_offset: i64) -> OpenWindow {
        OpenWindow { source: source.to_owned(), partition, start_offset, end_offset, ..OpenWindow::default() }
    }

    #[test]
    fn neighbours_are_read_as_one_span() {
        let windows = [
            window("orders", 0, 50, 100),
            window("orders", 0, 0, 50),
            window("customers", 0, 100, 200),
            window("orders", 0, 10, 20),
            window("orders", 0, 101, 102),
            window("orders", 1, 102, 103),
        ];
        let span = |partition, start, end| OffsetSpan { partition, start, end };
        assert_eq!(spans_of("orders", &windows), [span(0, 0, 100), span(0, 101, 102), span(1, 102, 103)]);
    }

    #[test]
    fn of_very_many_spans_the_closest_are_read_as_one() {
        let far = |i: i32| if i >= 150 { 1_000_000 } else { 0 };
        let start = |i: i32| i64::from(10 * i + far(i));
        let windows: Vec<OpenWindow> = (0..200).map(|i| window("orders", i % 2, start(i), start(i) + 1)).collect();
        let spans = spans_of("orders", &windows);
        assert_eq!(spans.len(), 100);
        let length: i64 = spans.iter().map(|span| span.end - span.start).sum();
        assert_eq!(length, 200 + 100 * 19, "a hundred gaps are closed, and not those of a million");
        let is_covered = |w: &OpenWindow| {
            spans.iter().any(|s| s.partition == w.partition && s.start <= w.start_offset && w.end_offset <= s.end)
        };
        assert!(windows.iter().all(is_covered));
    }

    #[test]
    fn partitions_are_never_joined() {
        let windows: Vec<OpenWindow> = (0..150).map(|i| window("orders", i, 0, 1)).collect();
        assert_eq!(spans_of("orders", &windows).len(), 150);
    }
}
