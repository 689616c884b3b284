//! A table as it was at one moment: what the reconciler compares with.

use anyhow::{Context, Result};
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::{PgLsn, ToSql};
use postgres::{Client, IsolationLevel, Transaction};

use crate::cdc::Lsn;
use crate::source::catalogue::columns;
use crate::source::{Snapshot, SourceColumn, is_possible};
use crate::tables::{KeyColumn, Table};
use crate::types::KEY_SEPARATOR;

/// Longer waits for a lock would queue the shop behind us: an `ALTER TABLE` that waits for our reading stops everybody after it.
const TIME_LIMITS: &str = "SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = '30min'";

/// Which rows are read.
#[derive(Debug, Clone, Copy)]
pub enum Rows<'k> {
    /// In the order of the key, those behind a key (canonical text; from the first one without), at most so many.
    From(Option<&'k String>, u64),
    /// Those with these keys (canonical texts), in no order.
    Of(&'k [String]),
}

/// A transaction that looks at one moment. The tables are locked, in the mode that disturbs nobody else, because TRUNCATE and ALTER TABLE do
/// not keep to snapshots.
pub struct SnapshotTx<'c> {
    transaction: Transaction<'c>,
    /// What the moment knows.
    pub snapshot: Snapshot,
}

impl<'c> SnapshotTx<'c> {
    /// Locks tables, then fixes the moment. Not on a standby: its snapshots leave out running transactions.
    ///
    /// # Errors
    /// A table is not there (78), or is locked (75).
    pub fn take(client: &'c mut Client, tables: &[&Table]) -> Result<SnapshotTx<'c>> {
        let list = tables.iter().map(|table| table.relation.as_str()).collect::<Vec<_>>().join(", ");
        let what = || format!("looking at {list} in PostgreSQL");
        // In a transaction of its own: within the next one it would be what takes the snapshot.
        let before = position_of(client).with_context(what)?;
        let mut transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()
            .with_context(what)?;
        transaction.batch_execute(TIME_LIMITS).with_context(what)?;
        transaction.batch_execute(&format!("LOCK TABLE {list} IN ACCESS SHARE MODE")).with_context(what)?;
        let snapshot = take_snapshot(&mut transaction, before).with_context(what)?;
        Ok(SnapshotTx { transaction, snapshot })
    }

    /// Gives the session other settings, until the moment ends.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn with_settings(mut self, settings: &[(&str, &str)]) -> Result<SnapshotTx<'c>> {
        let settings: String = settings.iter().map(|(name, value)| format!("SET LOCAL {name} = '{value}';")).collect();
        self.transaction.batch_execute(&settings).context("changing a session's settings in PostgreSQL")?;
        Ok(self)
    }

    /// The columns of a table, as it is now.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn columns(&mut self, table: &Table) -> Result<Vec<SourceColumn>> {
        let what = || format!("reading the columns of {} in PostgreSQL", table.relation);
        let columns = columns(&mut self.transaction, &table.relation).with_context(what)?;
        Ok(columns.into_iter().map(|(column, _)| column).collect())
    }

    /// Reads a table, of each row one text (an SQL expression over its columns), into `each`.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn read(
        &mut self,
        table: &Table,
        text: &str,
        rows: Rows<'_>,
        each: impl FnMut(&str) -> Result<()>,
    ) -> Result<()> {
        let what = || format!("reading {} in PostgreSQL", table.relation);
        let key = &table.key;
        let from = format!("SELECT {text} FROM {}", table.relation);
        let order = key_order(key).join(", ");
        let (sql, parts) = match rows {
            Rows::From(None, most) => (format!("{from} ORDER BY {order} LIMIT {most}"), Vec::new()),
            Rows::From(Some(last), most) => (
                format!("{from} WHERE {} ORDER BY {order} LIMIT {most}", key_behind(key)),
                key_parts(key, std::slice::from_ref(last)),
            ),
            Rows::Of(keys) => (format!("{from} WHERE {}", key_in(key)), key_parts(key, keys)),
        };
        self.stream(&sql, &parts, each).with_context(what)
    }

    /// Runs a query that gives one row, as JSON text.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn query(&mut self, sql: &str, parts: &[Vec<&str>], each: impl FnMut(&str) -> Result<()>) -> Result<()> {
        self.stream(&format!("SELECT row_to_json(found)::text FROM ({sql}) AS found"), parts, each)
    }

    /// Ends it: the locks are given back.
    ///
    /// # Errors
    /// The server is gone.
    pub fn end(self) -> Result<Snapshot> {
        self.transaction.commit().context("ending a transaction in PostgreSQL")?;
        Ok(self.snapshot)
    }

    fn stream(&mut self, sql: &str, parts: &[Vec<&str>], mut each: impl FnMut(&str) -> Result<()>) -> Result<()> {
        let parameters = parts.iter().map(|part| part as &dyn ToSql);
        let mut rows = self.transaction.query_raw(sql, parameters.collect::<Vec<_>>())?;
        while let Some(row) = rows.next()? {
            each(row.get(0))?;
        }
        Ok(())
    }
}

/// SQL for the order of a key, column by column, as [`crate::types::ColumnType::sort_key`] has it.
fn key_order(key: &[KeyColumn]) -> Vec<String> {
    key.iter().map(|column| column.column_type.order_in_postgres(&column.in_source())).collect()
}

/// SQL for "the key comes behind this one", in the order of [`key_order`], with the statement's first parameters: [`key_parts`].
fn key_behind(key: &[KeyColumn]) -> String {
    let last = key.iter().enumerate().map(|(i, column)| {
        let part = format!("(${}::text[])[1]::{}", i + 1, column.source_type);
        column.column_type.order_in_postgres(&part)
    });
    format!("({}) > ({})", key_order(key).join(", "), last.collect::<Vec<_>>().join(", "))
}

/// SQL for "the key is one of these", which are the statement's first parameters: [`key_parts`].
pub fn key_in(key: &[KeyColumn]) -> String {
    let names = key.iter().map(KeyColumn::in_source).collect::<Vec<_>>().join(", ");
    let wanted = key.iter().enumerate();
    let wanted = wanted.map(|(i, column)| format!("unnest(${}::text[])::{}", i + 1, column.source_type));
    format!("({names}) IN (SELECT {})", wanted.collect::<Vec<_>>().join(", "))
}

/// The parameters of [`key_in`]: an array of texts for each column. Keys that PostgreSQL cannot have are left out: it has no such row.
pub fn key_parts<'k>(key: &[KeyColumn], keys: &'k [String]) -> Vec<Vec<&'k str>> {
    let part = |text: &'k String, i: usize| text.splitn(key.len(), KEY_SEPARATOR).nth(i).unwrap_or_default();
    let possible = || keys.iter().filter(|text| is_possible(text));
    (0..key.len()).map(|i| possible().map(|text| part(text, i)).collect()).collect()
}

fn position_of(client: &mut Client) -> Result<Lsn> {
    let row = client.query_one("SELECT pg_current_wal_insert_lsn()", &[])?;
    Ok(row.get::<_, PgLsn>(0).into())
}

fn take_snapshot(transaction: &mut Transaction<'_>, before: Lsn) -> Result<Snapshot> {
    let sql = "SELECT pg_current_snapshot()::text, pg_current_wal_insert_lsn(),
                      (extract(epoch FROM clock_timestamp()) * 1000)::int8";
    let row = transaction.query_one(sql, &[])?;
    let text: String = row.get(0);
    let mut snapshot = Snapshot::parse(&text).with_context(|| format!("{text:?} is no snapshot"))?;
    (snapshot.before, snapshot.lsn, snapshot.clock_ms) = (before, row.get::<_, PgLsn>(1).into(), row.get(2));
    Ok(snapshot)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composite_keys_are_compared_part_by_part_in_the_order_of_bytes() {
        let key = [KeyColumn::of("a", "integer not null"), KeyColumn::of("B", "bpchar not null")];
        let expected =
            r#"(a, "B"::text COLLATE "C") > (($1::text[])[1]::int8, ($2::text[])[1]::bpchar::text COLLATE "C")"#;
        assert_eq!(key_behind(&key), expected);
    }
}
