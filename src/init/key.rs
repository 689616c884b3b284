//! Which columns are a table's key. The warehouse keeps the newest row of each key, so that without one nothing can be kept.

use crate::source::{SurveyedTable, UniqueKey};
use crate::types::{ColumnType, Connector};

/// The key that a table is taken by: its primary key, or the first unique index that can stand for it. Else why there is none.
pub(super) fn key_of<'t>(table: &'t SurveyedTable, connector: &Connector) -> Result<&'t UniqueKey, String> {
    let mut reasons = Vec::new();
    for key in &table.keys {
        match refusal(table, key, connector) {
            None => return Ok(key),
            Some(why) => reasons.push(format!("{} {why}", called(key))),
        }
    }
    if reasons.is_empty() {
        return Err("it has no primary key and no unique index: rows that are versions of one another cannot be told from others".to_owned());
    }
    Err(reasons.join("; "))
}

fn called(key: &UniqueKey) -> String {
    let columns = key.columns.join(", ");
    if key.primary {
        format!("the primary key ({columns})")
    } else {
        format!("the unique index {} ({columns})", key.name)
    }
}

/// Why a key cannot stand for its rows.
fn refusal(table: &SurveyedTable, key: &UniqueKey, connector: &Connector) -> Option<String> {
    if key.nullable {
        return Some("has a column that may be NULL".to_owned());
    }
    if !key.immediate && !key.primary {
        return Some("is DEFERRABLE".to_owned());
    }
    key.columns.iter().find_map(|name| {
        if !key.primary && name.contains([',', ':', ';']) {
            return Some(format!(
                "has {name}, a name by which the connector cannot be told the key (message.key.columns)"
            ));
        }
        let column = table.columns.iter().find(|column| column.name == *name)?;
        let note = table.column_notes.iter().find(|note| note.name == *name);
        if note.is_some_and(|note| !note.deterministic) {
            return Some(format!("takes different texts for equal ({name} has a nondeterministic collation)"));
        }
        if column.generated {
            return Some(format!("has {name}, which PostgreSQL computes and does not send"));
        }
        let column_type = ColumnType::of(column.source_type.clone(), connector);
        column_type.and_then(|it| it.key_type()).err().map(|why| format!("is of a type that cannot be one: {why}"))
    })
}
