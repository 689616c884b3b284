//! Keys and offsets that a statement lists: how many of them one statement takes.
//!
//! A server reads 256 KiB of a statement (`max_query_size`) and refuses a longer one. So lists are cut by what they take, not by their
//! number alone: a key of PostgreSQL may have 2.7 kB, more if it can be compressed. One that is too long by itself is a statement of
//! its own, for which the client asks for more room.

/// What the lists of a statement may take together; the rest of 256 KiB is for the statement itself.
const LISTS: usize = 192 << 10;
/// Keys of one statement at most, however short they are: whole rows may be the answer.
pub const MOST_KEYS: usize = 1_000;

/// Keys, cut for statements that list each of them `times` times.
pub fn of_keys<K: AsRef<str>>(keys: &[K], times: usize) -> Vec<&[K]> {
    by_bytes(keys, MOST_KEYS, |key| times * literal(key.as_ref()))
}

/// Offsets, cut for statements that list each of them once.
pub fn of_offsets(offsets: &[i64]) -> Vec<&[i64]> {
    by_bytes(offsets, offsets.len(), |offset| number(offset.unsigned_abs()))
}

/// Cuts `items` into runs of at most `most` whose `bytes` fit into a statement.
pub fn by_bytes<T>(items: &[T], most: usize, bytes: impl Fn(&T) -> usize) -> Vec<&[T]> {
    within(LISTS, items, most, bytes)
}

/// Cuts `items` into runs of at most `most` whose `bytes` are no more than `room`; an item that has no room is a run by itself.
pub fn within<T>(room: usize, items: &[T], most: usize, bytes: impl Fn(&T) -> usize) -> Vec<&[T]> {
    let mut runs = Vec::new();
    let (mut start, mut taken) = (0, 0);
    for (i, item) in items.iter().enumerate() {
        let more = bytes(item);
        if i > start && (taken + more > room || i - start == most) {
            runs.push(&items[start..i]);
            (start, taken) = (i, 0);
        }
        taken += more;
    }
    runs.extend(Some(&items[start..]).filter(|rest| !rest.is_empty()));
    runs
}

/// What a key takes as a literal: with quotes, brackets and comma, and every character that is escaped twice.
pub fn literal(key: &str) -> usize {
    let escaped = key.bytes().filter(|byte| matches!(byte, b'\\' | b'\'' | 0)).count();
    key.len() + escaped + 16
}

/// What a number takes, with its comma.
pub fn number(n: u64) -> usize {
    n.checked_ilog10().unwrap_or(0) as usize + 3
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::warehouse::quote;

    #[test]
    fn what_is_too_long_stands_alone() {
        let keys = ["a".to_owned(), "b".repeat(LISTS), "c".to_owned(), "d".to_owned()];
        let runs: Vec<usize> = of_keys(&keys, 1).iter().map(|run| run.len()).collect();
        assert_eq!(runs, [1, 1, 2]);
        assert_eq!(of_keys::<&str>(&[], 1), Vec::<&[&str]>::new());
    }

    #[test]
    fn a_window_of_offsets_is_a_few_statements() {
        let offsets: Vec<i64> = (1 << 43..).take(50_000).collect();
        let runs = of_offsets(&offsets);
        assert_eq!((runs.len(), runs.concat() == offsets), (4, true));
        let list = |run: &[i64]| run.iter().map(i64::to_string).collect::<Vec<_>>().join(", ").len();
        assert!(runs.into_iter().all(|run| list(run) <= LISTS));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]
        #[test]
        fn nothing_is_lost_and_every_statement_fits(
            lengths in prop::collection::vec(0usize..4_000, 0..3_000), times in 1usize..5, escaped in any::<bool>()
        ) {
            let keys: Vec<String> = lengths.iter().map(|n| (if escaped { "'" } else { "x" }).repeat(*n)).collect();
            let runs = of_keys(&keys, times);
            prop_assert!(runs.concat() == keys);
            for run in runs {
                let list: usize = run.iter().map(|key| quote(key).len() + ", ".len()).sum();
                prop_assert!(!run.is_empty() && run.len() <= MOST_KEYS && times * list <= LISTS);
            }
        }
    }
}
