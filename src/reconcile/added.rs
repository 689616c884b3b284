//! A column that `sync-schema` has added to the warehouse, and how it is compared.

use anyhow::Result;
use serde_json::value::{RawValue, to_raw_value};

use crate::cdc::{Fields, Lsn};
use crate::source::SourceColumn;
use crate::sql;
use crate::types::{AddedType, Connector};
use crate::warehouse::{self, DerivedColumn, identifier};

/// A column besides those of the pipeline's file.
#[derive(Debug)]
pub struct Added {
    /// Its name.
    pub name: String,
    /// Its type, as the source has it now.
    pub added_type: AddedType,
    /// SQL for the text of its value in PostgreSQL.
    pub in_postgres: String,
    /// SQL for the text of its value in ClickHouse.
    pub in_clickhouse: String,
    derived: DerivedColumn,
}

impl Added {
    /// How a column of the source is compared, or why it is not.
    pub fn of(
        column: &SourceColumn,
        kept: &[warehouse::ExistingColumn],
        connector: &Connector,
    ) -> Result<Added, String> {
        let (name, now) = (&column.name, &column.source_type);
        let Some(kept) = kept.iter().find(|kept| kept.name == *name) else {
            return Err("is not in the warehouse: sync-schema adds it".to_owned());
        };
        let Some(derived) = DerivedColumn::of(kept) else {
            return Err("was added to the warehouse by hand".to_owned());
        };
        let added_type = AddedType::of(now, connector);
        let asked =
            (added_type.in_postgres(&sql::postgres::identifier(name)), added_type.in_clickhouse(&identifier(name)));
        let (Some(in_postgres), Some(in_clickhouse)) = asked else {
            return Err(format!("is {}, of which it is not known what the connector makes of it", now.text));
        };
        if !derived.added_type(connector).holds(&added_type) {
            return Err(format!("was {} and is {} now: sync-schema says what to do", derived.postgres_type, now.text));
        }
        Ok(Added { name: name.clone(), added_type, in_postgres, in_clickhouse, derived })
    }

    /// What the warehouse makes of an event: the column's value, or, for an event that is older than the column, what PostgreSQL shows.
    pub fn of_event(&self, fields: &Fields<'_>, lsn: Option<Lsn>) -> Result<Option<String>> {
        let default = self.derived.missing_default.as_ref().filter(|it| lsn.is_none_or(|lsn| lsn < it.before_lsn));
        let before: Option<Box<RawValue>> = default.map(|it| to_raw_value(&it.value)).transpose()?;
        let json = fields.get(&self.name).or(before.as_deref());
        Ok(json.and_then(|json| self.added_type.canonical_sent(json.get())))
    }
}
