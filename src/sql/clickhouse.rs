//! Names and texts in the SQL of ClickHouse.

/// A string literal.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'").replace('\0', "\\0"))
}

/// A name in backticks: a column of the source may have any name.
pub fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_do_not_end_a_literal() {
        assert_eq!(quote(r"O'Brien \"), r"'O\'Brien \\'");
        assert_eq!(quote("a\0"), r"'a\0'");
        assert_eq!(identifier(r"a`b\"), r"`a\`b\\`");
    }
}
