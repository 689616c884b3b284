//! The order of the tables: a table comes behind those that it references, so that a new order finds its new customer.
//!
//! Where tables reference one another in a circle there is no such order; within the circle it is that of the file. The
//! references of the first tables are undecided until the others have come, which is what happens to any late parent.

/// An order of the tables `0..parents.len()`; `parents[i]` are the tables that table `i` references.
pub(super) fn order(parents: &[Vec<usize>]) -> Vec<usize> {
    let mut placed = vec![false; parents.len()];
    let mut order = Vec::with_capacity(parents.len());
    while let Some(next) = next(parents, &placed) {
        placed[next] = true;
        order.push(next);
    }
    order
}

/// The first table whose parents are placed; if none is, the first one of a circle that waits for nothing but itself.
fn next(parents: &[Vec<usize>], placed: &[bool]) -> Option<usize> {
    let open = || (0..parents.len()).filter(|table| !placed[*table]);
    let ready = |table: &usize| parents[*table].iter().all(|parent| placed[*parent] || parent == table);
    open().find(ready).or_else(|| {
        let mut table = open().next()?;
        loop {
            let awaited = awaited(table, parents, placed);
            // A table that it waits for, and that does not wait for it, is nearer to the beginning.
            let earlier =
                (0..parents.len()).find(|other| awaited[*other] && !self::awaited(*other, parents, placed)[table]);
            match earlier {
                Some(earlier) => table = earlier,
                None => return (0..parents.len()).find(|other| awaited[*other]),
            }
        }
    })
}

/// The tables that have to come before a table does, because it references them, or one that it references does.
fn awaited(table: usize, parents: &[Vec<usize>], placed: &[bool]) -> Vec<bool> {
    let mut awaited = vec![false; parents.len()];
    let mut open = vec![table];
    while let Some(table) = open.pop() {
        for parent in parents[table].iter().copied().filter(|parent| !placed[*parent]) {
            if !awaited[parent] {
                awaited[parent] = true;
                open.push(parent);
            }
        }
    }
    awaited
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_table_is_behind_what_it_references_and_else_stays_where_it_is() {
        assert_eq!(order(&[vec![], vec![], vec![1, 0], vec![]]), [0, 1, 2, 3]);
        assert_eq!(order(&[vec![2], vec![], vec![1]]), [1, 2, 0]);
        assert_eq!(order(&[vec![0], vec![]]), [0, 1], "a table may reference itself");
    }

    #[test]
    fn a_circle_comes_behind_what_it_references_from_outside() {
        // 0 ↔ 1, which needs 2 ↔ 3, which needs 4.
        assert_eq!(order(&[vec![1], vec![0, 2], vec![3], vec![2, 4], vec![]]), [4, 2, 3, 0, 1]);
        assert_eq!(order(&[vec![1], vec![2], vec![0]]), [0, 2, 1], "a circle of three");
    }

    fn reaches(parents: &[Vec<usize>], from: usize, to: usize) -> bool {
        awaited(from, parents, &vec![false; parents.len()])[to]
    }

    proptest! {
        #[test]
        fn only_a_circle_puts_a_table_before_what_it_references(
            parents in (1usize..9).prop_flat_map(|n| prop::collection::vec(prop::collection::vec(0..n, 0..4), n))
        ) {
            let order = order(&parents);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..parents.len()).collect::<Vec<_>>());
            let place = |table: usize| order.iter().position(|it| *it == table);
            for (table, parents_of) in parents.iter().enumerate() {
                for parent in parents_of {
                    prop_assert!(place(*parent) <= place(table) || reaches(&parents, *parent, table));
                }
            }
        }
    }
}
