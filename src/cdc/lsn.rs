//! Positions in PostgreSQL's log.

use std::fmt;

use postgres::types::PgLsn;
use serde::{Deserialize, Serialize};

/// A position in PostgreSQL's log. It is shown as PostgreSQL writes it, `16/B374D848`; change events and the warehouse have the number:
/// [`Lsn::get`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lsn(pub u64);

impl Lsn {
    /// As a number.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        PgLsn::from(self.0).fmt(f)
    }
}

impl From<PgLsn> for Lsn {
    fn from(lsn: PgLsn) -> Lsn {
        Lsn(lsn.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_as_postgres_writes_it_and_stored_as_a_number() {
        let lsn = Lsn::from("2/A0".parse::<PgLsn>().unwrap());
        assert_eq!((lsn.get(), lsn.to_string().as_str()), ((2 << 32) + 0xA0, "2/A0"));
        assert_eq!(serde_json::to_string(&Some(lsn)).unwrap(), "8589934752");
    }
}
