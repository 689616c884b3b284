//! What to do about a table that is not there.

/// An error of ClickHouse, with what to do about a table or database that is not there.
pub fn explain(error: clickhouse::error::Error) -> anyhow::Error {
    let is_missing = matches!(&error, clickhouse::error::Error::BadResponse(text) if text.contains("Code: 60.") || text.contains("Code: 81."));
    let error = anyhow::Error::new(error);
    if is_missing { error.context("run `migrate` first") } else { error }
}
