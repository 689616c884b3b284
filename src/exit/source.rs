//! PostgreSQL's errors as exit codes.

use postgres::error::SqlState;

use crate::exit::Exit;

/// A server that restarts, is full or slow comes back; a wrong password, database or table needs a person.
pub fn exit_of(error: &postgres::Error) -> Exit {
    let Some(state) = error.code() else { return Exit::TryAgain };
    let class = &state.code()[..2];
    match class {
        "28" | "3D" | "42" => Exit::NeedsPerson,
        _ if *state == SqlState::INVALID_PASSWORD => Exit::NeedsPerson,
        // Connection, insufficient resources, operator intervention, lock not available, serialization, system error.
        "08" | "53" | "55" | "57" | "40" | "58" => Exit::TryAgain,
        _ => Exit::Bug,
    }
}

/// What to do about an error that says too little.
pub fn advice(error: &postgres::Error) -> Option<&'static str> {
    let message = error.as_db_error()?.message();
    message.contains("row-level security").then_some(
        "a policy hides rows of this table from the role, and what is hidden would look as if it were not there: \
         ALTER ROLE … BYPASSRLS, for the role in POSTGRES_USER",
    )
}
