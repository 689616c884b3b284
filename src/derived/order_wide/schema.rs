//! What `order_wide` is made of, and for which pipelines.

use crate::derived::order_wide::touched;
use crate::tables::Pipeline;

/// Its table, then the views that people read; `{db}` is the warehouse.
pub const SCHEMA: [(&str, &str); 2] =
    [("30_order_wide.sql", include_str!("table.sql")), ("91_sales_views.sql", include_str!("sales_views.sql"))];

/// Has the pipeline the tables that it shows, under the names that its SQL has for them?
pub fn is_of(pipeline: &Pipeline) -> bool {
    touched::SOURCES.iter().all(|(name, target)| pipeline.table(name).is_some_and(|table| table.target == *target))
}
