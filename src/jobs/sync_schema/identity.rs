//! REPLICA IDENTITY follows ALTER TABLE: a long value (TOAST) that a change does not touch is left out of its event, unless the old row is
//! written to the log as a whole.

use super::compare::AlterPlan;
use crate::source::{SourceColumn, SourceTable};
use crate::tables::Table;

/// Says what is left out of the events of a table (`relation`, as SQL), and the statement after which it is not. Where Debezium says that a value was left out, the
/// pipeline carries it forward, or refuses the row: that is worth a note. Where it sends null instead, rows lose values without a word.
pub fn identity(source: &SourceTable, table: &Table, plan: &mut AlterPlan) {
    let (told, untold): (Vec<&SourceColumn>, Vec<&SourceColumn>) = source
        .columns
        .iter()
        .filter(|column| column.long && !source.whole_row)
        .partition(|column| column.has_placeholder());
    let fix = format!("ALTER TABLE {} REPLICA IDENTITY FULL", table.relation);
    let names = |columns: &[&SourceColumn]| {
        let name = |column: &&SourceColumn| format!("{} ({})", column.name, column.source_type.text);
        columns.iter().map(name).collect::<Vec<_>>().join(", ")
    };
    if !untold.is_empty() {
        plan.problems.push(format!(
            "{}: a long value that a change does not touch is sent as NULL, which nobody can tell from a real one, and for a NOT NULL column the \
             connector's task fails: {fix}, then {}",
            names(&untold),
            table.send_again()
        ));
    } else if !told.is_empty() {
        plan.notes.push(format!(
            "{}: a long value that a change does not touch is left out of its event; it is carried forward, and a row whose value was never \
             sent waits in quarantine (`toast-unavailable`): {fix}",
            names(&told)
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Pipeline;
    use crate::types::SourceType;

    fn said(types: &[&str], whole_row: bool) -> (usize, usize) {
        let column = |text: &&str| SourceColumn {
            name: "c".to_owned(),
            source_type: SourceType::of_catalogue(text, true),
            long: true,
            ..SourceColumn::default()
        };
        let source = SourceTable { columns: types.iter().map(column).collect(), whole_row, ..SourceTable::default() };
        let mut plan = AlterPlan::default();
        identity(&source, &Pipeline::embedded().tables[0], &mut plan);
        (plan.problems.len(), plan.notes.len())
    }

    #[test]
    fn a_value_that_is_sent_as_null_needs_a_person() {
        assert_eq!(said(&["text", "jsonb", "text[]", "integer[]", "hstore", "character varying(40)[]"], false), (0, 1));
        for untold in
            ["smallint[]", "double precision[]", "numeric(10,2)[]", "timestamp(3) without time zone[]", "path"]
        {
            assert_eq!(said(&["text", untold], false), (1, 0), "{untold}");
        }
        assert_eq!(said(&["text", "path"], true), (0, 0));
        assert_eq!(said(&[], false), (0, 0));
    }
}
