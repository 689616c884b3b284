//! What a check's "no" is worth.

/// What a check's "no" is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
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
        match self {
            Severity::Fail => "fail",
            Severity::Warn => "warn",
            Severity::Off => "off",
        }
    }
}
