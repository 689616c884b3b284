//! What PostgreSQL has to have so that Debezium can capture it: WAL, publication, replica identity, slot.

use anyhow::{Context, Result};
use postgres::Client;

use super::connect::Connector;
use super::wanted::Wanted;
use crate::cli::PostgresArgs;
use crate::health::finding::{Finding, fail, ok, warn};
use crate::health::slot;
use crate::pipeline::SourceTable;
use crate::source::HAS_LONG_COLUMN;
use crate::tables::Table;

/// What to type: psql on the jobs' database, with names as a shell takes them.
pub fn psql(args: &PostgresArgs, does: [&str; 2]) -> String {
    let [flag, what] = does;
    let words = ["psql", "-d", &args.postgres_db, flag, what];
    // Only a NUL cannot be quoted, and no name has one.
    shlex::try_join(words).unwrap_or_else(|_| words.join(" "))
}

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

/// Does the publication list the tables, and every operation? Which one, the pipeline says, if Kafka Connect cannot be asked.
pub fn publication(client: &mut Client, wanted: &Wanted, connector: Option<&Connector>) -> Result<Finding> {
    let own = wanted.pipeline.spec.connector.publication.as_str();
    let name = connector.map_or(own, |connector| &connector.publication);
    let autocreate = connector.map_or("disabled", |connector| &connector.autocreate);
    let row = client
        .query_opt("SELECT puballtables, pubinsert AND pubupdate AND pubdelete, pubtruncate FROM pg_publication WHERE pubname = $1", &[&name])
        .context("looking at the publication")?;
    let Some(row) = row else {
        let text = format!("there is no publication {name}");
        let fix = psql(&wanted.args.postgres, ["-f", wanted.pipeline.source_script().as_str()]);
        return Ok(match connector {
            None => warn(format!("{text} (so the pipeline calls it; the connector could not be asked)"), fix),
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
        .query("SELECT schemaname::text, tablename::text FROM pg_publication_tables WHERE pubname = $1", &[&name])
        .context("asking which tables are published")?;
    let listed: Vec<(String, String)> = listed.iter().map(|row| (row.get(0), row.get(1))).collect();
    let is_listed = |table: &&&Table| {
        let SourceTable { schema, table } = &table.spec.source.value;
        listed.iter().any(|(of, name)| (of.as_str(), name.as_str()) == (schema.as_str(), table.as_str()))
    };
    let missing: Vec<&str> =
        wanted.tables.iter().filter(|table| !is_listed(table)).map(|table| table.relation.as_str()).collect();
    let missing = missing.join(", ");
    Ok(if missing.is_empty() {
        ok(format!("{name} lists the {} table(s)", wanted.tables.len()))
    } else {
        fail(
            format!("{name} does not list {missing}: no change of it is captured"),
            psql(&wanted.args.postgres, ["-c", &format!("ALTER PUBLICATION {name} ADD TABLE {missing}")]),
        )
    })
}

/// A long value that a change does not touch is missing from its event, unless the old row is written to the WAL as well.
/// The same rule as in `src/pipeline/source.sql`.
pub fn identity(client: &mut Client, wanted: &Wanted) -> Result<Finding> {
    let tables: Vec<&str> = wanted.tables.iter().map(|table| table.relation.as_str()).collect();
    let rows = client
        .query(
            &format!(
                "SELECT c.oid::regclass::text
                 FROM unnest($1::text[]) AS name
                 CROSS JOIN LATERAL (SELECT to_regclass(name) UNION SELECT relid FROM pg_partition_tree(to_regclass(name))) AS member (oid)
                 JOIN pg_class c ON c.oid = member.oid
                 WHERE c.relreplident <> 'f' AND {HAS_LONG_COLUMN} ORDER BY 1"
            ),
            &[&tables],
        )
        .context("looking at the tables' replica identity")?;
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    if names.is_empty() {
        return Ok(ok("FULL wherever a value can be stored apart from its row (TOAST)"));
    }
    let alter: Vec<String> = names.iter().map(|name| format!("ALTER TABLE {name} REPLICA IDENTITY FULL")).collect();
    Ok(warn(
        format!("{}: unchanged long values (TOAST) are missing from their events", names.join(", ")),
        psql(&wanted.args.postgres, ["-c", &alter.join("; ")]),
    ))
}

/// Does the connector's slot exist, does somebody read it, and how much WAL does it keep?
pub fn slot(client: &mut Client, wanted: &Wanted, connector: Option<&Connector>) -> Result<Finding> {
    let name = connector.map_or(wanted.pipeline.spec.connector.slot.as_str(), |connector| &connector.slot);
    let reader = connector.map(|connector| connector.reader).unwrap_or_default();
    Ok(slot::health(name, slot::read(client, name, reader)?.as_ref(), reader))
}
