//! What integrity checks look for in a row, as a condition of one side; the row's alias is that of the rules.

use sha2::{Digest, Sha256};

use crate::cdc::{UNAVAILABLE, forms};
use crate::checks::statement::{Names, ServerSide};
use crate::rules::{ROW, Server};
use crate::tables::{Reference, Table};
use crate::types::Kind;
use crate::warehouse::{identifier, quote};

/// Texts that must be there; keys are, or there would be no row.
pub fn required(table: &Table) -> impl Iterator<Item = &'static str> {
    let is_key = |column: &str| table.key.iter().any(|key| key.name == column);
    let is_required =
        |column: &str| table.column_type(column).is_some_and(|column_type| column_type.clickhouse_type() == "String");
    table.source_columns().filter(move |column| !is_key(column) && is_required(column))
}

/// A text that must be there is empty.
pub fn is_empty(table: &Table, side: ServerSide<'_>) -> String {
    any(required(table).map(|column| format!("{} = ''", text(column, side.server()))))
}

/// The row has the words that Debezium sends instead of a long value which a change did not touch.
pub fn has_placeholder(table: &Table, side: ServerSide<'_>) -> String {
    let server = side.server();
    let in_column = |(name, kind): (&'static str, &Kind)| {
        let column = server.column(None, name);
        match (kind, server) {
            (Kind::Digest(_), Server::Postgres) => Some(format!("{column} = convert_to('{UNAVAILABLE}', 'UTF8')")),
            (Kind::Digest(_), Server::ClickHouse) => Some(format!("{column}.2 = '{}'", hash())),
            _ if table.column_type(name)?.clickhouse_type().contains("String") => {
                Some(format!("{} = '{UNAVAILABLE}'", text(name, server)))
            }
            _ => None,
        }
    };
    let kinds = table.columns().iter().map(|column| column.column_type.kind());
    let in_own = table.source_columns().zip(kinds).filter_map(in_column);
    any(in_own.chain([in_other_columns(table, server)]))
}

/// A placeholder in a column that the pipeline does not know: in `_extra` as it was sent, and in what was added for it. In the source, anywhere
/// in the row: whoever has written it there meant it.
fn in_other_columns(table: &Table, server: Server) -> String {
    let quoted = |texts: Vec<String>| texts.iter().map(|text| quote(text)).collect::<Vec<_>>().join(", ");
    match server {
        Server::Postgres => format!("{}::text LIKE '%{UNAVAILABLE}%'", server.name(ROW)),
        Server::ClickHouse => {
            let as_text = |json: String| serde_json::from_str::<String>(&json).unwrap_or(json);
            let bytes = format!("({},'{}')", UNAVAILABLE.len(), hash());
            let shown = forms().into_iter().map(as_text).chain([bytes]).collect();
            let written: Vec<String> = table.written.iter().map(|column| identifier(column)).collect();
            format!(
                "arrayExists(value -> value IN ({}), JSONExtractKeysAndValuesRaw(_extra).2)
 OR arrayExists(value -> ifNull(value, '') IN ({}), array('', * EXCEPT ({}) APPLY(toString)))",
                quoted(forms()),
                quoted(shown),
                written.join(", ")
            )
        }
    }
}

/// The row that a reference leads to is not there.
pub fn is_orphan(reference: &Reference, side: ServerSide<'_>) -> String {
    let server = side.server();
    let own: Vec<String> = reference.spec.columns.iter().map(|name| server.column(None, name.as_str())).collect();
    let is_set: String = own.iter().map(|column| format!("{column} IS NOT NULL AND ")).collect();
    let parent = &reference.parent;
    let key: Vec<&str> = parent.key.iter().map(|column| column.name).collect();
    let names = Names { relation: &parent.relation, target: parent.target };
    let keys = side.rows(names, &key, "true");
    let own = if own.len() == 1 { own.concat() } else { format!("({})", own.join(", ")) };
    format!("{is_set}{own} NOT IN {keys}")
}

/// A text column; the source's may be of another type by now.
fn text(column: &str, server: Server) -> String {
    let column = server.column(None, column);
    match server {
        Server::Postgres => format!("{column}::text"),
        Server::ClickHouse => column,
    }
}

fn hash() -> String {
    hex::encode(Sha256::digest(UNAVAILABLE))
}

fn any(conditions: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = conditions.collect();
    if all.is_empty() { "false".to_owned() } else { all.join(" OR ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::Pipeline;

    fn table(name: &str) -> &'static Table {
        Pipeline::embedded().table(name).unwrap()
    }

    #[test]
    fn other_tables_are_looked_at_as_a_whole() {
        let references = &table("orders").references;
        let customer = references.iter().find(|reference| reference.parent.name == "customers").unwrap();
        assert_eq!(
            is_orphan(customer, ServerSide::Source),
            r#""_row"."customer_id" IS NOT NULL AND "_row"."customer_id" NOT IN (SELECT "customer_id" FROM public.customers WHERE true)"#
        );
    }

    #[test]
    fn texts_and_pictures_may_hold_a_placeholder() {
        let of = |side| has_placeholder(table("employees"), side);
        assert!(
            of(ServerSide::Source).contains(r#""_row"."photo" = convert_to('__debezium_unavailable_value', 'UTF8')"#)
        );
        assert!(of(ServerSide::Warehouse("dw")).contains(r#""_row"."photo".2 = '"#));
        let required: Vec<&str> = required(table("employees")).collect();
        assert!(required.contains(&"last_name") && !required.contains(&"title"), "{required:?}");
    }
}
