//! Whose turn it is. `--max-records` is shared among the tables, a table's share among the rules that its records broke; what some do
//! not need goes to the others. Of one rule's records those come first that were tried least, then the log's order: so however many
//! wait, every record has its turn.
//!
//! Which records are chosen has nothing to do with the order in which they are replayed: that is the log's, as ever.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::jobs::replay::run::Replay;
use crate::jobs::replay::turn::Turn;
use crate::ledger;
use crate::quarantine::{Lot, Portion, QuarantineRange, Selection};

/// The turns of each table, whose ranges these are.
///
/// # Errors
/// The warehouse is gone or refuses.
pub fn share(replay: &Replay, tables: &[&str], ranges: Vec<Vec<QuarantineRange>>) -> Result<Vec<Vec<Turn>>> {
    let waiting: Vec<u64> = ranges.iter().map(|of_table| of_table.iter().map(|range| range.records).sum()).collect();
    let shares = ledger::share(replay.args.max_records, &waiting);
    let mut turns = Vec::new();
    for (i, of_table) in ranges.into_iter().enumerate() {
        let selection = replay.args.selection(tables[i]);
        turns.push(match shares[i] < waiting[i] {
            true => some_of(replay, &selection, of_table, shares[i])?,
            false => of_table.into_iter().map(|range| Turn { range, selection: selection.clone() }).collect(),
        });
    }
    Ok(turns)
}

/// A table's turns, if its share is less than what waits.
fn some_of(replay: &Replay, selection: &Selection, ranges: Vec<QuarantineRange>, share: u64) -> Result<Vec<Turn>> {
    let mut by_rule: BTreeMap<String, Vec<(usize, Lot)>> = BTreeMap::new();
    for (i, range) in ranges.iter().enumerate() {
        for lot in replay.warehouse.lots(selection, range)? {
            by_rule.entry(lot.rule.clone()).or_default().push((i, lot));
        }
    }
    let waiting: Vec<u64> = by_rule.values().map(|lots| lots.iter().map(|(_, lot)| lot.records).sum()).collect();
    let mut portions: Vec<BTreeMap<&str, Portion>> = vec![BTreeMap::new(); ranges.len()];
    for (lots, share) in by_rule.values_mut().zip(ledger::share(share, &waiting)) {
        for (i, lot, records) in least_tried(lots, share) {
            let place = &ranges[i];
            let below = match records < lot.records {
                true => Some(replay.warehouse.offset_behind(selection, place, lot, records)?),
                false => None,
            };
            // Lots that were tried less are taken whole: the last one of a range speaks for them.
            portions[i].insert(&lot.rule, Portion { rule: lot.rule.clone(), attempt: lot.attempt, below });
        }
    }
    let turn = |(range, portions): (QuarantineRange, BTreeMap<&str, Portion>)| Turn {
        range,
        selection: Selection { portions: portions.into_values().collect(), ..selection.clone() },
    };
    let taken = ranges.into_iter().zip(portions).filter(|(_, portions)| !portions.is_empty());
    Ok(taken.map(turn).collect())
}

/// The lots of a rule that its share comes to, with the number of records taken of each.
fn least_tried(lots: &mut [(usize, Lot)], share: u64) -> Vec<(usize, &Lot, u64)> {
    lots.sort_by_key(|(i, lot)| (lot.attempt, *i));
    let mut left = share;
    let mut taken = Vec::new();
    for (i, lot) in lots.iter() {
        let records = lot.records.min(left);
        left -= records;
        if records > 0 {
            taken.push((*i, lot, records));
        }
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_tried_least_comes_first() {
        let lot = |attempt, records| Lot { rule: "decode".to_owned(), attempt, records };
        let mut lots = vec![(0, lot(3, 10)), (1, lot(1, 4)), (0, lot(1, 5)), (2, lot(2, 7))];
        let taken = |lots: &mut [(usize, Lot)], share| -> Vec<(usize, u32, u64)> {
            least_tried(lots, share).into_iter().map(|(i, lot, records)| (i, lot.attempt, records)).collect()
        };
        assert_eq!(taken(&mut lots, 0), []);
        assert_eq!(taken(&mut lots, 5), [(0, 1, 5)]);
        assert_eq!(taken(&mut lots, 12), [(0, 1, 5), (1, 1, 4), (2, 2, 3)]);
        assert_eq!(taken(&mut lots, 100), [(0, 1, 5), (1, 1, 4), (2, 2, 7), (0, 3, 10)]);
    }
}
