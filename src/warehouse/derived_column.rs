//! A column that the pipeline's file does not know, filled from `_extra`: at insert, because a job's insert leaves it out, and on read
//! for rows that were there before it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cdc::Lsn;
use crate::types::{AddedType, Connector, SourceType};
use crate::warehouse::{ExistingColumn, identifier, quote};

/// Stands before the JSON in the comment of such a column.
const MARK: &str = "from _extra: ";

/// What such a column was made for. It is kept in the column's comment, for people and for the next run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DerivedColumn {
    /// The type in PostgreSQL.
    pub postgres_type: String,
    /// What rows have that were not touched since the column came.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub missing_default: Option<MissingDefault>,
}

/// The value that PostgreSQL keeps in its catalogue for rows that are older than a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingDefault {
    /// As Debezium would send it.
    pub value: Value,
    /// A position in the log at which the column was there. An event behind it that does not have the column is not older than
    /// the column: there, the column has been dropped.
    pub before_lsn: Lsn,
}

impl DerivedColumn {
    /// What a column was made for, if it is one of these.
    pub fn of(column: &ExistingColumn) -> Option<DerivedColumn> {
        serde_json::from_str(column.comment.strip_prefix(MARK)?).ok()
    }

    /// The column's type.
    pub fn added_type(&self, connector: &Connector) -> AddedType {
        AddedType::of(&SourceType::of_catalogue(&self.postgres_type, true), connector)
    }

    /// How the column is declared, behind ADD COLUMN or MODIFY COLUMN.
    pub fn declaration(&self, name: &str, connector: &Connector) -> String {
        let comment = format!("{MARK}{}", json!(self));
        format!(
            "{} {} DEFAULT {} COMMENT {}",
            identifier(name),
            self.added_type(connector).clickhouse_type(),
            self.expression(name, connector),
            quote(&comment)
        )
    }

    /// The column's value, as SQL over the row's other columns.
    pub fn expression(&self, name: &str, connector: &Connector) -> String {
        let otherwise = match &self.missing_default {
            None => quote(""),
            Some(MissingDefault { value, before_lsn }) => {
                let row = quote(&json!({name: value}).to_string());
                format!("if(ifNull(_lsn < {}, true), {row}, '')", before_lsn.get())
            }
        };
        let json = format!("if({}, _extra, {otherwise})", has(name));
        let text = format!("JSONExtract({json}, {}, 'Nullable(String)')", quote(name));
        self.added_type(connector).taken_from(&text)
    }
}

/// SQL for "the row's event had this column".
pub fn has(name: &str) -> String {
    format!("JSONHas(_extra, {})", quote(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comment_is_read_as_it_is_written() {
        let missing_default = MissingDefault { value: json!("12.50"), before_lsn: Lsn(99) };
        let derived =
            DerivedColumn { postgres_type: "numeric(10,2)".to_owned(), missing_default: Some(missing_default) };
        let plain = DerivedColumn { postgres_type: "text".to_owned(), missing_default: None };
        for derived in [derived, plain] {
            let comment = format!("{MARK}{}", json!(derived));
            assert_eq!(DerivedColumn::of(&ExistingColumn { comment, ..ExistingColumn::default() }), Some(derived));
        }
        assert_eq!(
            DerivedColumn::of(&ExistingColumn { comment: "mine".to_owned(), ..ExistingColumn::default() }),
            None
        );
    }

    #[test]
    fn any_name_can_be_declared() {
        let derived = DerivedColumn { postgres_type: "text".to_owned(), missing_default: None };
        let declaration = derived.declaration(r"it's `a\b`", &Connector::default());
        assert!(declaration.starts_with(r"`it's \`a\\b\`` Nullable(String) DEFAULT "), "{declaration}");
        assert!(declaration.contains(r"JSONHas(_extra, 'it\'s `a\\b`')"), "{declaration}");
    }
}
