//! From windows to the lines that show one of their rows.

use crate::ledger::{News, at_offsets};

/// How a changed row of a source table leads to lines. The tables are read without FINAL: what was deleted touches as well, and a
/// version that a newer one has replaced touches too much at worst.
const WAYS: [(&str, &str); 7] = [
    ("order_details", "{rows}"),
    ("orders", "order_id IN (SELECT order_id FROM {db}.fact_orders WHERE {rows})"),
    (
        "customers",
        "order_id IN (SELECT order_id FROM {db}.fact_orders
                      WHERE customer_id IN (SELECT customer_id FROM {db}.dim_customers WHERE {rows}))",
    ),
    (
        "employees",
        "order_id IN (SELECT order_id FROM {db}.fact_orders
                      WHERE employee_id IN (SELECT employee_id FROM {db}.dim_employees WHERE {rows}))",
    ),
    ("products", "product_id IN (SELECT product_id FROM {db}.dim_products WHERE {rows})"),
    (
        "categories",
        "product_id IN (SELECT product_id FROM {db}.dim_products
                        WHERE category_id IN (SELECT category_id FROM {db}.dim_categories WHERE {rows}))",
    ),
    (
        "suppliers",
        "product_id IN (SELECT product_id FROM {db}.dim_products
                        WHERE supplier_id IN (SELECT supplier_id FROM {db}.dim_suppliers WHERE {rows}))",
    ),
];

/// The tables that `order_wide` shows, as the pipeline calls them, and in the warehouse.
pub const SOURCES: [(&str, &str); 7] = [
    ("order_details", "fact_order_details"),
    ("orders", "fact_orders"),
    ("customers", "dim_customers"),
    ("employees", "dim_employees"),
    ("products", "dim_products"),
    ("categories", "dim_categories"),
    ("suppliers", "dim_suppliers"),
];

/// Their names.
pub fn sources() -> Vec<&'static str> {
    SOURCES.iter().map(|(source, _)| *source).collect()
}

/// A query for the keys of all lines that the news touch. It has one branch per table, so that each can use its index.
pub fn query(news: &News) -> String {
    let branch = |(source, way): &(&str, &str)| {
        let rows = at_offsets(&news.spans(source), "_partition", "_offset")?;
        let lines = way.replace("{rows}", &rows);
        Some(format!("SELECT order_id, product_id FROM {{db}}.fact_order_details WHERE {lines}"))
    };
    let branches: Vec<String> = WAYS.iter().filter_map(branch).collect();
    format!("SELECT DISTINCT order_id, product_id FROM (\n{}\n)", branches.join("\nUNION ALL\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{StreamKey, UnackedWindow};

    fn window(source: &str, partition: i32, start_offset: i64, end_offset: i64) -> UnackedWindow {
        let place = StreamKey { source: source.to_owned(), ..StreamKey::default() };
        UnackedWindow { place, partition, start_offset, end_offset, ..UnackedWindow::default() }
    }

    #[test]
    fn only_tables_with_windows_are_read() {
        let query = query(&News::from_iter([window("orders", 0, 0, 5), window("suppliers", 0, 7, 8)]));
        assert_eq!(query.matches("UNION ALL").count(), 1);
        assert!(query.contains("fact_orders WHERE ((_partition = 0 AND _offset >= 0 AND _offset < 5))"), "{query}");
        assert!(query.contains("dim_suppliers WHERE ((_partition = 0 AND _offset >= 7 AND _offset < 8))"), "{query}");
    }
}
