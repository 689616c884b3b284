//! How the links to the servers are secured.

mod http;
mod kafka;
mod postgres;
