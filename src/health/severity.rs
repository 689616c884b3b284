//! What a check's "no" is worth.

use strum::IntoStaticStr;

/// What a check's "no" is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, IntoStaticStr)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Severity {
    /// Exit 10.
    Fail,
    /// Said and stored.
    Warn,
    /// Not looked at.
    Off,
}

impl Severity {
    /// As it is written.
    pub fn name(self) -> &'static str {
        self.into()
    }
}
