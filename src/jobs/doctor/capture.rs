//! What PostgreSQL has to have so that Debezium can capture it: WAL, publication, replica identity, slot.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use postgres::{Client, Row};

use super::Wanted;
use super::connect::Connector;
use super::sheet::{Finding, fail, ok, warn};

/// The names of the project's own connector, for when Kafka Connect cannot be asked.
const SLOT: &str = "northwind_slot";
const PUBLICATION: &str = "northwind_publication";
/// WAL that a slot keeps, in bytes, from which on somebody should look.
const MUCH_WAL: i64 = 1 << 30;
/// How long a slot may be without a reader while the connector says that it runs.
const RESTART: Duration = Duration::from_secs(4);

/// Does the WAL say which rows have changed?
pub fn wal_level(client: &mut Client) -> Result<Finding> {
    let level: String =
        client.query_one("SELECT current_setting('wal_level')", &[]).context("asking for wal_level")?.get(0);
    Ok(if level == "logical" {
        ok("logical")
    } else {
        fail(
            format!("{level}: Debezium cannot read such a WAL"),
            "psql -c \"ALTER SYSTEM SET wal_level = 'logical'\", then restart PostgreSQL",
        )
    })
}

/// Does the publication list the tables, and every operation?
pub fn publication(client: &mut Client, wanted: &Wanted, connector: Option<&Connector>) -> Result<Finding> {
    let name = connector.map_or(PUBLICATION, |connector| &connector.publication);
    let autocreate = connector.map_or("disabled", |connector| &connector.autocreate);
    let row = client
        .query_opt("SELECT puballtables, pubinsert AND pubupdate AND pubdelete, pubtruncate FROM pg_publication WHERE pubname = $1", &[&name])
        .context("looking at the publication")?;
    let Some(row) = row else {
        let text = format!("there is no publication {name}");
        let fix = format!("psql -d {} -f postgres/init/02_replication_user.sql", wanted.args.postgres.postgres_db);
        return Ok(match connector {
            None => warn(format!("{text} (a guess at its name: the connector could not be asked)"), fix),
            Some(_) if autocreate == "disabled" => fail(text, fix),
            Some(_) => {
                warn(text, format!("the connector makes it when it starts: publication.autocreate.mode={autocreate}"))
            }
        });
    };
    let (all_tables, rows, truncates): (bool, bool, bool) = (row.get(0), row.get(1), row.get(2));
    if all_tables && autocreate == "filtered" {
        return Ok(fail(
            format!(
                "{name} is FOR ALL TABLES, and publication.autocreate.mode=filtered wants to narrow it: the task fails when it starts"
            ),
            "set publication.autocreate.mode=disabled in the connector",
        ));
    }
    if !rows || !truncates {
        let text = format!("{name} does not publish every operation: changes are missing from the topics");
        return Ok(fail(text, format!("ALTER PUBLICATION {name} SET (publish = 'insert, update, delete, truncate')")));
    }
    let listed = client
        .query(
            "SELECT tablename::text FROM pg_publication_tables WHERE pubname = $1 AND schemaname = 'public'",
            &[&name],
        )
        .context("asking which tables are published")?;
    let listed: Vec<String> = listed.iter().map(|row| row.get(0)).collect();
    let missing: Vec<String> = wanted
        .tables
        .iter()
        .filter(|table| !listed.iter().any(|name| name == table.source))
        .map(|table| format!("public.{}", table.source))
        .collect();
    let missing = missing.join(", ");
    Ok(if missing.is_empty() {
        ok(format!("{name} lists the {} table(s)", wanted.tables.len()))
    } else {
        fail(
            format!("{name} does not list {missing}: no change of it is captured"),
            format!("psql -d {} -c 'ALTER PUBLICATION {name} ADD TABLE {missing}'", wanted.args.postgres.postgres_db),
        )
    })
}

/// A long value that a change does not touch is missing from its event, unless the old row is written to the WAL as well.
/// The same rule as in `postgres/init/02_replication_user.sql`.
pub fn identity(client: &mut Client, wanted: &Wanted) -> Result<Finding> {
    let tables: Vec<&str> = wanted.tables.iter().map(|table| table.source).collect();
    let rows = client
        .query(
            "SELECT c.relname::text
             FROM pg_class c
             WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY($1) AND c.relreplident <> 'f' AND EXISTS (
                 SELECT FROM pg_attribute a
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attstorage <> 'p'
                   AND (a.atttypid IN ('text'::regtype, 'bytea'::regtype, 'json'::regtype, 'jsonb'::regtype, 'xml'::regtype)
                        OR a.atttypid = 'varchar'::regtype AND a.atttypmod = -1))
             ORDER BY 1",
            &[&tables],
        )
        .context("looking at the tables' replica identity")?;
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    if names.is_empty() {
        return Ok(ok("FULL wherever a value can be stored apart from its row (TOAST)"));
    }
    let alter: Vec<String> =
        names.iter().map(|name| format!("ALTER TABLE public.{name} REPLICA IDENTITY FULL")).collect();
    Ok(warn(
        format!("{}: unchanged long values (TOAST) are missing from their events", names.join(", ")),
        format!("psql -d {} -c '{}'", wanted.args.postgres.postgres_db, alter.join("; ")),
    ))
}

/// Does the connector's slot exist, does somebody read it, and how much WAL does it keep?
pub fn slot(client: &mut Client, connector: Option<&Connector>) -> Result<Finding> {
    let name = connector.map_or(SLOT, |connector| &connector.slot);
    let runs = connector.is_some_and(|connector| connector.runs && !connector.snapshots);
    let mut row = slot_row(client, name)?;
    // A task that has just been started again takes a moment to come back.
    let deadline = Instant::now() + RESTART;
    while runs && !row.as_ref().is_some_and(|row| row.get(0)) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(100));
        row = slot_row(client, name)?;
    }

    let Some(row) = row else {
        let text = format!("there is no slot {name}: nobody captures");
        let fix =
            "the connector makes it when it starts, and then has to snapshot again: see the connector's state above";
        return Ok(if runs { fail(text, fix) } else { warn(text, fix) });
    };
    let (active, status, kept): (bool, String, Option<i64>) = (row.get(0), row.get(1), row.get(2));
    let kept = kept.unwrap_or(0);
    let keeps = format!("keeps {} of WAL", size(kept));
    let drop = format!("psql -c \"SELECT pg_drop_replication_slot('{name}')\"");
    Ok(match (active, status.as_str()) {
        (_, "lost") => fail(
            format!(
                "{name} is lost: PostgreSQL has removed WAL that the connector had not read (max_slot_wal_keep_size)"
            ),
            format!("{drop}, then let the connector snapshot again"),
        ),
        (true, _) if kept < MUCH_WAL => ok(format!("{name} is active and {keeps}")),
        (true, _) => warn(
            format!("{name} is active, but {keeps}: the connector lags"),
            "see the connector's log; is heartbeat.action.query set?",
        ),
        (false, _) if connector.is_some_and(|connector| connector.snapshots) => {
            ok(format!("{name} {keeps}; nobody reads it until the snapshot is done"))
        }
        (false, _) if runs => fail(
            format!("nobody reads {name}, though the connector says RUNNING; it {keeps}"),
            "look at Kafka Connect's log, and restart the connector; is it this PostgreSQL that it captures?",
        ),
        (false, _) => warn(
            format!("nobody reads {name}; it {keeps}, and more with every change"),
            format!("bring the connector back; if it is gone for good: {drop}"),
        ),
    })
}

/// Active, WAL status, WAL kept; nothing if there is no such slot.
fn slot_row(client: &mut Client, name: &str) -> Result<Option<Row>> {
    client
        .query_opt(
            "SELECT active, coalesce(wal_status, ''), pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::int8
             FROM pg_replication_slots
             WHERE slot_name = $1",
            &[&name],
        )
        .context("looking at the replication slot")
}

fn size(bytes: i64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    if mib < 1024.0 { format!("{mib:.1} MiB") } else { format!("{:.1} GiB", mib / 1024.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_names_are_those_of_the_projects_connector() {
        let config = include_str!("../../../connectors/debezium-northwind.json");
        assert!(config.contains(&format!("\"slot.name\": \"{SLOT}\"")));
        assert!(config.contains(&format!("\"publication.name\": \"{PUBLICATION}\"")));
    }

    #[test]
    fn sizes_have_a_unit_that_fits() {
        assert_eq!((size(2640), size(3 << 30)), ("0.0 MiB".to_owned(), "3.0 GiB".to_owned()));
    }
}
