//! CHECK constraints of the source, read as rules.

use crate::rules::{Reading, Rule};
use crate::source::Constraint;
use crate::tables::{Table, own_scope};

/// Reads a CHECK of the source. It sees the numbers that PostgreSQL has judged: of a `real` the binary one.
///
/// # Errors
/// Why nobody can say of the warehouse's rows whether it holds.
pub fn read_constraint(table: &Table, constraint: &Constraint) -> Result<Rule, String> {
    if !constraint.is_validated {
        return Err("NOT VALID, so that older rows may break it".to_owned());
    }
    let mut scope = own_scope(table);
    scope.reading = Reading::Check;
    scope.value.clone_from(&constraint.value);
    Rule::parse(&constraint.expression, &scope).map_err(|refusal| refusal.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Pipeline;

    fn read(expression: &str, value: Option<&str>, is_validated: bool) -> Result<Rule, String> {
        let lines = Pipeline::embedded().table("order_details").unwrap();
        let constraint = Constraint {
            name: "c".to_owned(),
            expression: expression.to_owned(),
            value: value.map(str::to_owned),
            is_validated,
        };
        read_constraint(lines, &constraint)
    }

    #[test]
    fn what_postgres_writes_is_read() {
        assert!(
            read("((discount >= (0)::double precision) AND (discount <= (1)::double precision))", None, true).is_ok()
        );
        assert!(read("(VALUE > 0)", Some("quantity"), true).is_ok());
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        assert!(read("(quantity > 0)", None, false).unwrap_err().starts_with("NOT VALID"));
        assert!(read("(gone > 0)", None, true).unwrap_err().contains("no column \"gone\""));
        assert!(read("is_good(quantity)", None, true).is_err());
    }
}
