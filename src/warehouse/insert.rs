//! Inserts: one request, one block, one deduplication token.

use std::time::Duration;

use anyhow::{Context, Result};
use clickhouse::insert::Insert;
use clickhouse::{Row, RowWrite};
use tokio::task::JoinHandle;

use crate::warehouse::refusal::explain;
use crate::warehouse::{Warehouse, quote, without_default};

const SEND_TIMEOUT: Duration = Duration::from_secs(60);
const ACK_TIMEOUT: Duration = Duration::from_secs(180);

/// Rows that are sent, but not yet acknowledged.
pub struct InFlight {
    what: String,
    ack: JoinHandle<clickhouse::error::Result<()>>,
}

impl InFlight {
    /// Waits until the rows are written.
    ///
    /// # Errors
    /// They may or may not be: only the same token with the same rows settles it.
    pub fn acknowledged(self, warehouse: &Warehouse) -> Result<()> {
        warehouse
            .runtime
            .block_on(self.ack)
            .context("the insert's task died")?
            .with_context(|| format!("{} in ClickHouse at {}", self.what, warehouse.address))
    }
}

/// An insert whose rows are sent one by one, since they do not live side by side.
pub struct Insertion<R> {
    what: String,
    database: String,
    table: String,
    insert: Insert<R>,
}

impl Warehouse {
    /// Opens an insert.
    ///
    /// # Errors
    /// The server is gone, or the table does not fit the row type.
    pub fn open_insert<R: Row>(&self, database: &str, table: &str, token: &str) -> Result<Insertion<R>> {
        let what = format!("inserting into {database}.{table}");
        let insert = self
            .runtime
            .block_on(self.open::<R>(database, table, token))
            .map_err(|error| self.explain_insert::<R>(error, database, table))
            .with_context(|| format!("{what} in ClickHouse at {}", self.address))?;
        Ok(Insertion { what, database: database.to_owned(), table: table.to_owned(), insert })
    }

    /// Sends a row of it.
    ///
    /// # Errors
    /// The server is gone, or refuses.
    pub fn send<R: Row + RowWrite>(&self, insertion: &mut Insertion<R>, row: &R::Value<'_>) -> Result<()> {
        self.runtime
            .block_on(async { insertion.insert.write(row).await })
            .map_err(|error| self.explain_insert::<R>(error, &insertion.database, &insertion.table))
            .with_context(|| format!("{} in ClickHouse at {}", insertion.what, self.address))
    }

    /// There are no more rows.
    pub fn end_insert<R: Row + 'static>(&self, insertion: Insertion<R>) -> InFlight {
        InFlight { what: insertion.what, ack: self.runtime.spawn(insertion.insert.end()) }
    }

    /// Sends rows and returns before they are acknowledged.
    ///
    /// # Errors
    /// The server is gone, or the table does not fit the row type.
    pub fn begin_insert<'r, 'v: 'r, R>(
        &self,
        database: &str,
        table: &str,
        token: &str,
        rows: impl Iterator<Item = &'r R::Value<'v>>,
    ) -> Result<InFlight>
    where
        R: Row + RowWrite + 'static,
        R::Value<'v>: 'r,
    {
        let what = format!("inserting into {database}.{table}");
        let insert = self.runtime.block_on(async {
            let mut insert = self.open::<R>(database, table, token).await?;
            for row in rows {
                insert.write(row).await?;
            }
            Ok::<_, clickhouse::error::Error>(insert)
        });
        let insert = insert
            .map_err(|error| self.explain_insert::<R>(error, database, table))
            .with_context(|| format!("{what} in ClickHouse at {}", self.address))?;
        Ok(InFlight { what, ack: self.runtime.spawn(insert.end()) })
    }

    /// Sends rows and waits until they are written.
    ///
    /// # Errors
    /// As [`Warehouse::begin_insert`] and [`InFlight::acknowledged`].
    pub fn insert<'r, 'v: 'r, R>(
        &self,
        database: &str,
        table: &str,
        token: &str,
        rows: impl Iterator<Item = &'r R::Value<'v>>,
    ) -> Result<()>
    where
        R: Row + RowWrite + 'static,
        R::Value<'v>: 'r,
    {
        self.begin_insert::<R>(database, table, token, rows)?.acknowledged(self)
    }

    /// Writes rows that come as JSON, one a line, into a warehouse table.
    ///
    /// # Errors
    /// The server is gone, or the rows do not fit.
    pub fn insert_json(&self, table: &str, token: &str, lines: &str) -> Result<()> {
        let target = format!("{}.{table}", self.db);
        let settings = format!("SETTINGS insert_deduplication_token = {}", quote(token));
        self.execute(
            &format!("inserting into {target}"),
            &format!("INSERT INTO {target} {settings} FORMAT JSONEachRow\n{lines}"),
        )
    }

    async fn open<R: Row>(&self, database: &str, table: &str, token: &str) -> clickhouse::error::Result<Insert<R>> {
        let insert = self.client.clone().with_database(database).insert::<R>(table).await?;
        Ok(insert
            .with_setting("insert_deduplication_token", token)
            .with_setting("insert_deduplicate", "1")
            .with_timeouts(Some(SEND_TIMEOUT), Some(ACK_TIMEOUT)))
    }

    /// The crate says that something does not fit; which column it is, and what to do about it, we say.
    fn explain_insert<R: Row>(&self, error: clickhouse::error::Error, database: &str, table: &str) -> anyhow::Error {
        match &error {
            clickhouse::error::Error::SchemaMismatch(_) => {
                let hint = self.misfit(database, table, R::COLUMN_NAMES);
                anyhow::Error::new(error).context(hint)
            }
            _ => explain(error),
        }
    }

    fn misfit(&self, database: &str, table: &str, written: &[&str]) -> String {
        let columns = self.columns_of(database, table).unwrap_or_default();
        let name = format!("{database}.{table}");
        let fixes: Vec<String> =
            without_default(&columns, written).map(|column| column.refuses_inserts(&name)).collect();
        if fixes.is_empty() { format!("{name} does not fit: `doctor` names the column") } else { fixes.join("; ") }
    }
}
