//! From windows to the rows of the driving table that a change in them touches.

use crate::derived::Derived;
use crate::ledger::{News, at_offsets};

/// A query for the keys of all rows that the news touch. It has one branch per table, so that each can use its index. The tables are read without
/// FINAL: what was deleted touches as well, and a version that a newer one has replaced touches too much at worst.
pub fn by_news(derived: &Derived, news: &News) -> String {
    let branches = derived.spec.touched_by.iter().filter_map(|touched| {
        let rows = at_offsets(&news.spans(touched.table.as_str()), "_partition", "_offset")?;
        Some(touched.sql.replace("{rows}", &format!("({rows})")))
    });
    branches.collect::<Vec<_>>().join("\nUNION ALL\n")
}

/// A query for the keys of all rows that the driving table has, or had.
pub fn all(derived: &Derived) -> String {
    let driving = derived.spec.touched_by.iter().find(|touched| touched.table.value == derived.spec.driven_by.value);
    driving.map(|touched| touched.sql.replace("{rows}", "true")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{StreamKey, UnackedWindow};
    use crate::tables::Pipeline;

    fn window(source: &str, partition: i32, start_offset: i64, end_offset: i64) -> UnackedWindow {
        let place = StreamKey { source: source.to_owned(), ..StreamKey::default() };
        UnackedWindow { place, partition, start_offset, end_offset, ..UnackedWindow::default() }
    }

    #[test]
    fn only_tables_with_windows_are_read() {
        let derived = Derived::all(Pipeline::embedded())[0];
        let query = by_news(&derived, &News::from_iter([window("orders", 0, 0, 5), window("suppliers", 0, 7, 8)]));
        assert_eq!(query.matches("UNION ALL").count(), 1);
        assert!(query.contains("fact_orders WHERE (((_partition = 0 AND _offset >= 0 AND _offset < 5)))"), "{query}");
        assert!(query.contains("dim_suppliers WHERE (((_partition = 0 AND _offset >= 7 AND _offset < 8)))"), "{query}");
    }
}
