//! What is declared of the tables, and what the real servers and the project's files have: they say the same.

mod another_database;
mod generate;
mod parity;
mod pipeline;
mod pipeline_file;
mod rooms;
