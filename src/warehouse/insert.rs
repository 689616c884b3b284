//! Inserts into the books: one request, one block, one deduplication token.

use std::time::Duration;

use anyhow::{Context, Result};
use clickhouse::insert::Insert;
use clickhouse::{Row, RowWrite};
use tokio::task::JoinHandle;

use crate::tables::Table;
use crate::warehouse::Warehouse;
use crate::warehouse::refusal::explain;

pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(60);
pub(super) const ACK_TIMEOUT: Duration = Duration::from_secs(180);

/// Rows that are sent, but not yet acknowledged.
pub struct InFlight {
    what: String,
    /// The pipeline's table that they are of; `None` for books.
    table: Option<&'static Table>,
    ack: JoinHandle<clickhouse::error::Result<()>>,
}

impl InFlight {
    pub(super) fn of_rows(
        what: String,
        table: &'static Table,
        ack: JoinHandle<clickhouse::error::Result<()>>,
    ) -> InFlight {
        InFlight { what, table: Some(table), ack }
    }

    /// Waits until the rows are written.
    ///
    /// # Errors
    /// They may or may not be: only the same token with the same rows settles it.
    pub fn acknowledged(self, warehouse: &Warehouse) -> Result<()> {
        let answer = warehouse.runtime.block_on(self.ack).context("the insert's task died")?;
        answer
            .map_err(|error| match self.table {
                Some(table) => warehouse.explain_rows(error, table),
                None => explain(error),
            })
            .with_context(|| format!("{} in ClickHouse at {}", self.what, warehouse.address))
    }
}

impl Warehouse {
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
        let insert = insert.map_err(explain).with_context(|| format!("{what} in ClickHouse at {}", self.address))?;
        Ok(InFlight { what, table: None, ack: self.runtime.spawn(insert.end()) })
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

    async fn open<R: Row>(&self, database: &str, table: &str, token: &str) -> clickhouse::error::Result<Insert<R>> {
        let insert = self.client.clone().with_database(database).insert::<R>(table).await?;
        Ok(insert
            .with_setting("insert_deduplication_token", token)
            .with_setting("insert_deduplicate", "1")
            .with_timeouts(Some(SEND_TIMEOUT), Some(ACK_TIMEOUT)))
    }
}
