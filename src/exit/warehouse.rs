//! ClickHouse's errors as exit codes.

use clickhouse::error::Error;

use crate::exit::Exit;

/// A server that is down, busy or full comes back; a missing table, wrong password or other schema needs a person.
pub fn exit_of(error: &Error) -> Exit {
    match error {
        Error::Network(_) | Error::TimedOut | Error::Decompression(_) => Exit::TryAgain,
        Error::SchemaMismatch(_) | Error::NotEnoughData | Error::InvalidColumnsHeader(_) => Exit::NeedsPerson,
        Error::BadResponse(text) => match error_code(text) {
            // UNKNOWN_IDENTIFIER, NO_SUCH_COLUMN_IN_TABLE, TYPE_MISMATCH, UNKNOWN_TABLE, UNKNOWN_DATABASE, READONLY,
            // ILLEGAL_COLUMN, INCORRECT_DATA (an insert's types are not the table's), REQUIRED_PASSWORD, WRONG_PASSWORD, ACCESS_DENIED, AUTHENTICATION_FAILED, UNKNOWN_USER
            Some(16 | 44 | 47 | 53 | 60 | 81 | 117 | 164 | 192 | 193 | 194 | 497 | 516) => Exit::NeedsPerson,
            // SYNTAX_ERROR, ILLEGAL_TYPE_OF_ARGUMENT, CANNOT_READ_ALL_DATA, ILLEGAL_AGGREGATION: our SQL or our bytes
            Some(33 | 43 | 62 | 184) => Exit::Bug,
            _ => Exit::TryAgain,
        },
        _ => Exit::Bug,
    }
}

/// ClickHouse's error number, out of "Code: 60. DB::Exception: …".
pub fn error_code(text: &str) -> Option<u32> {
    text.split_once("Code: ")?.1.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_judged_by_their_number() {
        let of = |text: &str| exit_of(&Error::BadResponse(text.to_owned()));
        assert_eq!(of("Code: 60. DB::Exception: Table x does not exist. (UNKNOWN_TABLE)"), Exit::NeedsPerson);
        assert_eq!(of("Code: 252. DB::Exception: Too many parts"), Exit::TryAgain);
        assert_eq!(of("<html>502 Bad Gateway</html>"), Exit::TryAgain);
    }
}
