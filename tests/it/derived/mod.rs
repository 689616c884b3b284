//! What is made of the tables: `order_wide`, and the views for people.

mod order_wide;
mod order_wide_builds;
mod order_wide_crash;
mod views;
