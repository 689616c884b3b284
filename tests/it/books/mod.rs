//! The books: the ledger's numbers, what brings older books up to date, and whose they are.

mod clock;
mod ledger;
mod ledger_migration;
mod migrate;
mod older_books;
mod one_warehouse;
mod upgrade;
