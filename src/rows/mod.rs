//! Rows of tables that are known at run time only: a schema, change events decoded by it straight into RowBinary, and the rows of a window.

mod decoder;
mod envelope;
mod event;
mod explain;
mod image;
mod long;
mod schema;
mod store;
mod toast;

pub use decoder::Decoder;
pub use event::{Change, Event, IncompleteChange};
pub use explain::refusal;
pub use long::{LONG, LongRow, Unloaded, identity_of};
pub use schema::{Column, SYSTEM_COLUMNS, Schema};
pub use store::{Row, RowId, Rows, System};
pub use toast::{Carried, Completion, Missing, resolve};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cdc::message::Message;
    use crate::types::{ColumnType, Connector};

    fn column(name: &str, declared: &str) -> Column {
        let column_type = ColumnType::parse(declared, None, &Connector::default()).unwrap();
        Column { name: name.to_owned(), was: None, column_type }
    }

    fn schema() -> Schema {
        let renamed = Column { was: Some("title".to_owned()), ..column("name", "text null") };
        let columns = vec![column("id", "uuid not null"), column("n", "integer not null"), renamed];
        Schema::new("things", columns, &["id", "n"], vec!["secret".to_owned()]).unwrap()
    }

    const KEY: &str = r#"{"id":"7b2d9f8e-0000-4000-8000-000000000001","n":5}"#;

    /// `after`, or `before` of a delete, and the rest of the envelope.
    fn said(op: &str, table: &str, image: &str) -> String {
        said_by(&schema(), KEY, op, table, image)
    }

    fn said_by(schema: &Schema, key: &str, op: &str, table: &str, image: &str) -> String {
        let message = Message::change(table, 1, op, key, image);
        let mut rows = Rows::new(schema.columns().len());
        match Decoder::new(schema, 1, 0).decode(&message.record(), &mut rows).unwrap() {
            Event::Change(change) => {
                let row = rows.row(change.row);
                let text = |(n, column): (usize, &Column)| {
                    column.column_type.text(row.cell(n)).map_or("NULL".to_owned(), |text| text.into_owned())
                };
                let cells: Vec<String> = schema.columns().iter().enumerate().map(text).collect();
                let extra = String::from_utf8_lossy(&row.bytes()[row.bytes().len().saturating_sub(9)..]).into_owned();
                let extra = if extra.ends_with('}') { extra } else { "nothing".to_owned() };
                format!("{} and {extra}, deleted {}", cells.join(" "), row.standing().deleted)
            }
            Event::Rejected(violation, _) => violation.detail,
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn columns_may_come_in_any_order_and_under_an_older_name() {
        let expected = "7b2d9f8e-0000-4000-8000-000000000001 5 x and nothing, deleted false";
        for image in [
            r#"{"id":"7b2d9f8e-0000-4000-8000-000000000001","n":5,"name":"x"}"#,
            r#"{"name":"x","n":5,"id":"7b2d9f8e-0000-4000-8000-000000000001"}"#,
            r#"{"n":5,"title":"x","id":"7b2d9f8e-0000-4000-8000-000000000001"}"#,
            r#"{"name":"x"}"#,
        ] {
            assert_eq!(said("u", "things", image), expected, "{image}");
        }
        assert!(said("u", "things", r#"{"title":"x","name":"y"}"#).contains("duplicate field `name`"));
    }

    #[test]
    fn an_excluded_column_is_nowhere_and_an_unknown_one_in_extra() {
        let image =
            r#"{"id":"7b2d9f8e-0000-4000-8000-000000000001","n":5,"secret":"s","name":null,"_lsn":"?","new":1}"#;
        assert_eq!(
            said("u", "things", image),
            "7b2d9f8e-0000-4000-8000-000000000001 5 NULL and {\"new\":1}, deleted false"
        );
    }

    #[test]
    fn a_deleted_row_has_its_key_and_nothing_else() {
        let image = r#"{"id":"7b2d9f8e-0000-4000-8000-000000000001","n":5,"name":"x"}"#;
        assert_eq!(said("d", "things", image), "7b2d9f8e-0000-4000-8000-000000000001 5 NULL and nothing, deleted true");
    }

    #[test]
    fn a_key_whose_text_could_be_that_of_another_one_is_refused() {
        let columns = ["id", "n"].map(|name| column(name, "text not null")).to_vec();
        let schema = Schema::new("things", columns, &["id", "n"], Vec::new()).unwrap();
        let refused = "id has the character U+001F, which stands between the parts of a key";
        for image in [r#"{"id":"a\u001fb","n":"c"}"#, r#"{"n":"c","id":"\u001f"}"#] {
            assert_eq!(["c", "d"].map(|op| said_by(&schema, image, op, "things", image)), [refused, refused]);
        }
        let last = r#"{"id":"a","n":"b\u001fc"}"#;
        assert!(said_by(&schema, last, "c", "things", last).starts_with("a b\u{1f}c"));
    }

    #[test]
    fn a_row_of_another_table_is_refused() {
        assert_eq!(said("u", "others", KEY), "source.table says others: is this the topic of things?");
    }

    #[test]
    fn a_schema_needs_a_key_that_is_there_and_can_be_one() {
        let error = |columns, key: &[&str]| Schema::new("things", columns, key, Vec::new()).unwrap_err();
        assert!(error(vec![column("id", "real not null")], &["id"]).starts_with("things.id: real cannot be part"));
        assert!(error(vec![column("id", "integer not null")], &["ids"]).contains("ids is not among the columns"));
        assert!(error(vec![column("_lsn", "bigint null")], &[]).contains("a system column"));
    }
}
