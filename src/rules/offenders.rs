//! The rows that break a rule, as a statement for either server: joins are made from the references that the rule uses.
//!
//! A row whose key references a row that is not there is *undecided*, not an offender: the parent may only be late.

use crate::rules::{ROW, Reference, Rule, Server};

/// Where the rows are: SQL that stands behind FROM or JOIN, a table's quoted name or a sub-select in parentheses.
#[derive(Clone, Copy)]
pub struct Relations<'a> {
    /// The table's own rows.
    pub rows: &'a str,
    /// The rows of the other table, by the reference's name.
    pub parents: &'a dyn Fn(&Reference) -> String,
}

impl std::fmt::Debug for Relations<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relations").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Rule {
    /// `SELECT shown … WHERE (rule) IS FALSE`: one row for each offender. `shown` is SQL, columns in it as [`Server::column`] has them.
    pub fn offenders(&self, server: Server, relations: &Relations<'_>, shown: &[String]) -> String {
        let joins: String = self.references.iter().map(|reference| join(server, relations, reference)).collect();
        let decided: String = self.references.iter().map(|reference| decided(server, reference)).collect();
        format!(
            "SELECT {}\nFROM {} AS {}{joins}\nWHERE ({} IS FALSE){decided}",
            shown.join(", "),
            relations.rows,
            server.name(ROW),
            self.text(server),
        )
    }
}

fn join(server: Server, relations: &Relations<'_>, reference: &Reference) -> String {
    let parent = Some(reference.name.as_str());
    let on: Vec<String> = reference
        .key
        .iter()
        .map(|(own, key)| format!("({} = {})", server.column(parent, key), server.column(None, own)))
        .collect();
    let rows = (relations.parents)(reference);
    format!("\nLEFT JOIN {rows} AS {} ON {}", server.name(&reference.name), on.join(" AND "))
}

/// A part of the key is NULL, or the parent is there.
fn decided(server: Server, reference: &Reference) -> String {
    let no_key: Vec<String> =
        reference.key.iter().map(|(own, _)| format!("({} IS NULL)", server.column(None, own))).collect();
    let Some((_, key)) = reference.key.first() else { return String::new() };
    format!("\n  AND ({} OR ({} IS NOT NULL))", no_key.join(" OR "), server.column(Some(reference.name.as_str()), key))
}
