//! Inserts of a table's rows, which are RowBinary already. The header has names and types, so that the server refuses a table that does not fit
//! instead of reading other values out of the bytes.

use anyhow::{Context, Result};
use clickhouse::insert_formatted::BufInsertFormatted;

use crate::tables::Table;
use crate::types::{write_length, write_text};
use crate::warehouse::insert::{ACK_TIMEOUT, InFlight, SEND_TIMEOUT};
use crate::warehouse::refusal::explain;
use crate::warehouse::{Unfit, Warehouse, identifier};

/// Bytes that are sent at a time.
const CHUNK: usize = 256 << 10;

/// An insert into a warehouse table. Its rows are sent one by one, since they need not live side by side.
pub struct RowsInsert {
    what: String,
    table: &'static Table,
    insert: BufInsertFormatted,
}

impl Warehouse {
    /// Opens an insert: one request, one block, one deduplication token.
    pub fn open_rows(&self, table: &'static Table, token: &str) -> RowsInsert {
        let names = table.written.iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", ");
        let target = format!("{}.{}", self.db, table.target);
        let sql = format!("INSERT INTO {target} ({names}) FORMAT RowBinaryWithNamesAndTypes");
        let mut insert = self
            .client
            .insert_formatted_with(sql)
            .with_setting("insert_deduplication_token", token)
            .with_setting("insert_deduplicate", "1")
            .with_timeouts(Some(SEND_TIMEOUT), Some(ACK_TIMEOUT))
            .buffered_with_capacity(CHUNK);
        insert.write_buffered(&header(table));
        RowsInsert { what: format!("inserting into {target}"), table, insert }
    }

    /// Sends a row of it.
    ///
    /// # Errors
    /// The server is gone, or refuses.
    pub fn send_row(&self, insert: &mut RowsInsert, row: &[u8]) -> Result<()> {
        if insert.insert.buf_len() + row.len() <= CHUNK {
            insert.insert.write_buffered(row);
            return Ok(());
        }
        let sent = self.runtime.block_on(async {
            let mut rest = row;
            while !rest.is_empty() {
                let written = insert.insert.write(rest).await?;
                rest = &rest[written..];
            }
            Ok(())
        });
        sent.or_else(|error| self.refused(insert, error))
    }

    /// There are no more rows.
    pub fn end_rows(&self, insert: RowsInsert) -> InFlight {
        let RowsInsert { what, table, mut insert } = insert;
        let ack = self.runtime.spawn(async move { insert.end().await });
        InFlight::of_rows(what, table, ack)
    }

    /// Only the whole answer says what the server minds.
    fn refused(&self, insert: &mut RowsInsert, error: clickhouse::error::Error) -> Result<()> {
        let error = self.runtime.block_on(insert.insert.end()).err().unwrap_or(error);
        Err(self.explain_rows(error, insert.table))
            .with_context(|| format!("{} in ClickHouse at {}", insert.what, self.address))
    }

    /// ClickHouse says that something does not fit; which column it is, and what to do about it, we say.
    pub(super) fn explain_rows(&self, error: clickhouse::error::Error, table: &Table) -> anyhow::Error {
        let is_misfit = matches!(&error, clickhouse::error::Error::BadResponse(text) if MISFITS.iter().any(|code| text.contains(code)));
        if is_misfit { anyhow::Error::new(error).context(self.misfit(table)) } else { explain(error) }
    }

    fn misfit(&self, table: &Table) -> String {
        let columns = self.columns(table.target).unwrap_or_default();
        let name = format!("{}.{}", self.db, table.target);
        let unfit = Unfit::of(table, &columns);
        let said: Vec<String> = unfit.iter().map(Unfit::to_string).collect();
        let alters: Vec<String> = unfit.iter().map(Unfit::alter).collect();
        format!("{name} does not fit: {}; ALTER TABLE {name} {}", said.join(", "), alters.join(", "))
    }
}

/// No such column in the table; a type that differs from the header's.
const MISFITS: [&str; 2] = ["Code: 16.", "Code: 117."];

/// How many columns, their names, their types.
fn header(table: &Table) -> Vec<u8> {
    let mut header = Vec::new();
    write_length(table.written.len(), &mut header);
    table.written.iter().for_each(|name| write_text(name, &mut header));
    table.written_types().for_each(|(_, column_type)| write_text(&column_type, &mut header));
    header
}
