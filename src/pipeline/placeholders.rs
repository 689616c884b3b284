//! `{db}` and `{ops}` in SQL texts: the databases' names, whatever they are.

use anyhow::{Result, bail};

/// Puts values in the place of `{name}`. One pass: what a value contains is not looked at again. Other braces stay as they
/// are: those of ClickHouse's parameters (`{key:String}`), of maps and of JSON.
///
/// # Errors
/// The text has a placeholder that has no value.
pub fn fill(sql: &str, values: &[(&str, &str)]) -> Result<String> {
    let mut filled = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        filled.push_str(before);
        let Some(name) = placeholder(from) else {
            filled.push('{');
            rest = &from[1..];
            continue;
        };
        let Some((_, value)) = values.iter().find(|(known, _)| *known == name) else {
            let line = sql[..sql.len() - from.len()].matches('\n').count() + 1;
            let known: Vec<String> = values.iter().map(|(known, _)| format!("{{{known}}}")).collect();
            bail!("line {line} of the SQL text: {{{name}}} is no placeholder; there are {}", known.join(", "));
        };
        filled.push_str(value);
        rest = &from[name.len() + 2..];
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The name of the placeholder that a text begins with.
fn placeholder(text: &str) -> Option<&str> {
    let (name, _) = text.strip_prefix('{')?.split_once('}')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn databases_take_their_places() {
        let filled = fill("SELECT * FROM {db}.orders, {ops}.runs", &[("db", "shop_dw"), ("ops", "shop_ops")]);
        assert_eq!(filled.unwrap(), "SELECT * FROM shop_dw.orders, shop_ops.runs");
    }

    #[test]
    fn what_a_value_contains_is_not_filled_again() {
        let values = [("db", "x_shop_ops"), ("ops", "{db}")];
        assert_eq!(fill("{db} {ops} shop_ops", &values).unwrap(), "x_shop_ops {db} shop_ops");
    }

    #[test]
    fn an_unknown_placeholder_is_an_error_with_its_line() {
        let error = fill("SELECT 1\nFROM {database}.orders", &[("db", "a"), ("ops", "b")]).unwrap_err().to_string();
        assert_eq!(error, "line 2 of the SQL text: {database} is no placeholder; there are {db}, {ops}");
    }

    #[test]
    fn other_braces_stay() {
        for sql in ["{key:String}", "map('a', {})", "'{\"a\": 1}'", "{", "}{", "{ db }", "{DB}", "{{"] {
            assert_eq!(fill(sql, &[("db", "x")]).unwrap(), sql);
        }
        assert_eq!(fill("{{db}}", &[("db", "x")]).unwrap(), "{x}");
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(sql in "[{}a-z:_ é\n]{0,40}") {
            let _ = fill(&sql, &[("db", "x")]);
        }
    }
}
