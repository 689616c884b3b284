//! What is made of the tables: `order_wide`, `agg_sales_daily`, and the views for people.

mod order_wide;
mod order_wide_builds;
mod order_wide_crash;
mod sales;
mod sales_builds;
mod views;
