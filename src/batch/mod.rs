//! What ingest and replay share once a batch of records is judged: its token, its rows on their way into the warehouse, what
//! truncates remove of it.

pub(crate) mod rows;
pub(crate) mod scope;
