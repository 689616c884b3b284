//! What is declared of the tables, and what the real servers have: they say the same.

mod parity;
mod pipeline;
