//! From windows of the ledger to the rows that stand in them.

use crate::warehouse::OpenWindow;

/// More spans than these in one table are read as one: that touches too much, which only costs work.
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
    let joined = join_closer_than(1, &spans);
    if joined.len() > MOST_SPANS { join_closer_than(i64::MAX, &joined) } else { joined }
}

fn join_closer_than(gap: i64, sorted: &[OffsetSpan]) -> Vec<OffsetSpan> {
    let mut joined: Vec<OffsetSpan> = Vec::new();
    for span in sorted {
        match joined.last_mut() {
            Some(last) if last.partition == span.partition && span.start - last.end < gap => {
                last.end = last.end.max(span.end);
            }
            _ => joined.push(*span),
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
    fn very_many_spans_are_read_as_one_per_partition() {
        let windows: Vec<OpenWindow> =
            (0..200).map(|i| window("orders", i % 2, 10 * i64::from(i), 10 * i64::from(i) + 1)).collect();
        let span = |partition, start, end| OffsetSpan { partition, start, end };
        assert_eq!(spans_of("orders", &windows), [span(0, 0, 1981), span(1, 10, 1991)]);
    }
}
