//! Change events in a row: what stands in the warehouse after each of them.

mod events;
mod smoke;
mod truncate;
