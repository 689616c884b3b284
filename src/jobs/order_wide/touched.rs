//! From windows to the lines that show one of their rows.

use crate::warehouse::OpenWindow;

/// How a changed row of a source table leads to lines. The tables are read without FINAL: what was deleted touches as well, and a
/// version that a newer one has replaced touches too much at worst.
const WAYS: [(&str, &str); 7] = [
    ("order_details", "{rows}"),
    ("orders", "order_id IN (SELECT order_id FROM northwind_dw.fact_orders WHERE {rows})"),
    (
        "customers",
        "order_id IN (SELECT order_id FROM northwind_dw.fact_orders
                      WHERE customer_id IN (SELECT customer_id FROM northwind_dw.dim_customers WHERE {rows}))",
    ),
    (
        "employees",
        "order_id IN (SELECT order_id FROM northwind_dw.fact_orders
                      WHERE employee_id IN (SELECT employee_id FROM northwind_dw.dim_employees WHERE {rows}))",
    ),
    ("products", "product_id IN (SELECT product_id FROM northwind_dw.dim_products WHERE {rows})"),
    (
        "categories",
        "product_id IN (SELECT product_id FROM northwind_dw.dim_products
                        WHERE category_id IN (SELECT category_id FROM northwind_dw.dim_categories WHERE {rows}))",
    ),
    (
        "suppliers",
        "product_id IN (SELECT product_id FROM northwind_dw.dim_products
                        WHERE supplier_id IN (SELECT supplier_id FROM northwind_dw.dim_suppliers WHERE {rows}))",
    ),
];

/// More spans than these in one table are read as one: that touches too much, which only costs work.
const MOST_SPANS: usize = 100;

/// The source tables that `order_wide` shows.
pub fn sources() -> Vec<&'static str> {
    WAYS.iter().map(|(source, _)| *source).collect()
}

/// A query for the keys of all lines that the windows touch. It has one branch per table, so that each can use its index.
pub fn query(windows: &[OpenWindow]) -> String {
    let branch = |(source, way): &(&str, &str)| {
        let rows = rows_of(&spans_of(source, windows))?;
        let lines = way.replace("{rows}", &rows);
        Some(format!("SELECT order_id, product_id FROM northwind_dw.fact_order_details WHERE {lines}"))
    };
    let branches: Vec<String> = WAYS.iter().filter_map(branch).collect();
    format!("SELECT DISTINCT order_id, product_id FROM (\n{}\n)", branches.join("\nUNION ALL\n"))
}

/// Offsets `start..end` of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    partition: i32,
    start: i64,
    end: i64,
}

/// The offsets of a table's windows, with neighbours joined.
fn spans_of(source: &str, windows: &[OpenWindow]) -> Vec<Span> {
    let of_table = windows.iter().filter(|window| window.source == source);
    let mut spans: Vec<Span> = of_table
        .map(|window| Span { partition: window.partition, start: window.start_offset, end: window.end_offset })
        .collect();
    spans.sort_unstable();
    let joined = join_closer_than(1, &spans);
    if joined.len() > MOST_SPANS { join_closer_than(i64::MAX, &joined) } else { joined }
}

fn join_closer_than(gap: i64, sorted: &[Span]) -> Vec<Span> {
    let mut joined: Vec<Span> = Vec::new();
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

/// The rows that stand at these offsets. A topic's generation is not looked at: the marks of a TRUNCATE in a recreated topic stand
/// at an offset of the new topic in rows of the old generation.
fn rows_of(spans: &[Span]) -> Option<String> {
    let at = |Span { partition, start, end }: &Span| {
        format!("(_partition = {partition} AND _offset >= {start} AND _offset < {end})")
    };
    (!spans.is_empty()).then(|| format!("({})", spans.iter().map(at).collect::<Vec<_>>().join(" OR ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(source: &str, partition: i32, start_offset: i64, end_offset: i64) -> OpenWindow {
        OpenWindow { token: String::new(), source: source.to_owned(), partition, start_offset, end_offset }
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
        let span = |partition, start, end| Span { partition, start, end };
        assert_eq!(spans_of("orders", &windows), [span(0, 0, 100), span(0, 101, 102), span(1, 102, 103)]);
    }

    #[test]
    fn very_many_spans_are_read_as_one_per_partition() {
        let windows: Vec<OpenWindow> =
            (0..200).map(|i| window("orders", i % 2, 10 * i64::from(i), 10 * i64::from(i) + 1)).collect();
        let span = |partition, start, end| Span { partition, start, end };
        assert_eq!(spans_of("orders", &windows), [span(0, 0, 1981), span(1, 10, 1991)]);
    }

    #[test]
    fn only_tables_with_windows_are_read() {
        let query = query(&[window("orders", 0, 0, 5), window("suppliers", 0, 7, 8)]);
        assert_eq!(query.matches("UNION ALL").count(), 1);
        assert!(query.contains("fact_orders WHERE ((_partition = 0 AND _offset >= 0 AND _offset < 5))"), "{query}");
        assert!(query.contains("dim_suppliers WHERE ((_partition = 0 AND _offset >= 7 AND _offset < 8))"), "{query}");
    }
}
