//! Which server the source is now. No event carries it, so it is compared with none: it is an alarm, for people.

use anyhow::{Context, Result};
use postgres::Client;
use postgres::error::SqlState;

/// System identifier and timeline, `7711648745341381694/1`; nothing where the server does not tell (a managed one may refuse).
///
/// # Errors
/// The server is gone.
pub fn identity(client: &mut Client) -> Result<Option<String>> {
    let sql = "SELECT (SELECT system_identifier FROM pg_control_system()) || '/' ||
                      (SELECT timeline_id FROM pg_control_checkpoint())";
    match client.query_one(sql, &[]) {
        Ok(row) => Ok(row.get(0)),
        Err(error) if is_refused(&error) => Ok(None),
        Err(error) => Err(error).context("asking PostgreSQL which system it is"),
    }
}

fn is_refused(error: &postgres::Error) -> bool {
    let refusals = [SqlState::INSUFFICIENT_PRIVILEGE, SqlState::UNDEFINED_FUNCTION, SqlState::FEATURE_NOT_SUPPORTED];
    error.code().is_some_and(|state| refusals.contains(state))
}
