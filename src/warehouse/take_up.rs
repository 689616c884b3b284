//! Who has taken up which window of the ledger. A consumer (a check, a derived table) remembers one number per stream: up to there it has
//! seen everything. Rows have dense numbers, so it takes the rows above its number *up to the first hole*: a row that becomes visible
//! late, for whatever reason, still stands above the position. No clock is asked, and no list of windows is kept.

use std::collections::HashSet;

use anyhow::Result;
use clickhouse::Row;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::cli::needs_person;
use crate::warehouse::unread::Stream;
use crate::warehouse::{Warehouse, quote};

/// Streams that one statement names: far below `max_query_size`.
pub(super) const STREAMS: usize = 200;

/// In `positions`: up to there rows of a stream were removed, because everybody had taken them up.
pub(super) const PRUNED: &str = "(pruned)";

/// A window of the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq, Row, Deserialize)]
#[allow(missing_docs)]
pub struct OpenWindow {
    pub source: String,
    pub group_id: String,
    pub topic: String,
    pub stream: i32,
    /// Its number in the stream.
    pub seq: u64,
    pub partition: i32,
    pub start_offset: i64,
    /// One behind the last offset.
    pub end_offset: i64,
    /// TRUNCATE events in it: they touch rows that stand at other offsets.
    pub truncates: u64,
    pub run_id: String,
    /// Origin and reset are rows of the ledger, but no windows.
    pub is_window: bool,
    /// It has been in the ledger for so long that a hole before it will not fill by itself.
    pub is_old: bool,
    /// The consumer has left it open before.
    pub is_postponed: bool,
}

impl OpenWindow {
    fn place(&self) -> (&str, &str, &str, i32, u64) {
        (&self.source, &self.group_id, &self.topic, self.stream, self.seq)
    }

    fn stands_in(&self, stream: &Stream) -> bool {
        (&self.source, &self.group_id, &self.topic, self.stream)
            == (&stream.source, &stream.group_id, &stream.topic, stream.stream)
    }
}

/// What a consumer has to take up.
#[derive(Debug, Default)]
pub struct News {
    /// The windows.
    pub windows: Vec<OpenWindow>,
    /// The streams that had something, `taken` up to where the consumer stands once it is done.
    taken: Vec<Stream>,
    /// What is wrong with the ledger, and what to do about it.
    faults: Vec<String>,
}

impl News {
    /// Is the ledger whole? Whatever could be taken up is in [`News::windows`] all the same.
    ///
    /// # Errors
    /// Exit 78: rows are missing.
    pub fn is_whole(&self) -> Result<()> {
        if self.faults.is_empty() { Ok(()) } else { Err(needs_person(self.faults.join("; "))) }
    }

    /// Nothing at all, not even a row of the ledger that is no window?
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty() && self.taken.is_empty()
    }

    /// The rows of a stream up to the first hole.
    fn take_prefix(&mut self, mut stream: Stream, rows: impl Iterator<Item = OpenWindow>, postponed: &HashSet<Place>) {
        let before = stream.taken;
        for mut row in rows {
            if row.seq != stream.taken + 1 {
                if row.is_old {
                    self.faults.push(stream.has_hole(row.seq));
                }
                break;
            }
            stream.taken = row.seq;
            row.is_postponed = postponed.contains(&place_of(&row));
            if row.is_window {
                self.windows.push(row);
            }
        }
        if stream.taken > before {
            self.taken.push(stream);
        }
    }
}

type Place = (String, String, String, i32, u64);

fn place_of(row: &OpenWindow) -> Place {
    (row.source.clone(), row.group_id.clone(), row.topic.clone(), row.stream, row.seq)
}

#[derive(Row, Serialize)]
pub(super) struct PositionRow<'a> {
    pub consumer: &'a str,
    pub source: &'a str,
    pub group_id: &'a str,
    pub topic: &'a str,
    pub stream: i32,
    pub seq: u64,
    pub run_id: &'a str,
}

#[derive(Row, Serialize)]
struct PostponedRow<'a> {
    consumer: &'a str,
    source: &'a str,
    group_id: &'a str,
    topic: &'a str,
    stream: i32,
    seq: u64,
    run_id: &'a str,
    done: u8,
}

impl Warehouse {
    /// What `consumer` has not taken up of some source tables: in each stream the rows above its position up to the first hole, and the
    /// windows that it has left open.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn news(&self, consumer: &str, sources: &[&str]) -> Result<News> {
        let (mut waiting, cut_off): (Vec<_>, Vec<_>) =
            self.streams_with_news(consumer, sources)?.into_iter().partition(|stream| stream.taken < stream.last);
        // After the positions: what another run notes down meanwhile is looked at twice, never missed.
        let left_open = self.postponed(consumer, sources)?;
        let postponed: HashSet<Place> = left_open.iter().map(place_of).collect();
        let mut news =
            News { faults: cut_off.iter().map(|stream| stream.is_cut_off(consumer)).collect(), ..News::default() };
        for stream in waiting.iter_mut().filter(|stream| stream.taken < stream.pruned) {
            news.faults.push(stream.begins_late(consumer));
            stream.taken = stream.pruned;
        }
        for chunk in waiting.chunks(STREAMS) {
            let above: Vec<String> =
                chunk.iter().map(|stream| format!("({} AND seq > {})", stream.sql(), stream.taken)).collect();
            let mut rows = self.ledger_rows(&above.join(" OR "), false)?.into_iter().peekable();
            while let Some(first) = rows.peek() {
                let Some(stream) = chunk.iter().find(|stream| first.stands_in(stream)).cloned() else { break };
                let mut of_stream = Vec::new();
                while let Some(row) = rows.next_if(|row| row.stands_in(&stream)) {
                    of_stream.push(row);
                }
                news.take_prefix(stream, of_stream.into_iter(), &postponed);
            }
        }
        let again: HashSet<Place> = news.windows.iter().filter(|row| row.is_postponed).map(place_of).collect();
        news.windows.extend(left_open.into_iter().filter(|row| !again.contains(&place_of(row))));
        Ok(news)
    }

    /// Notes down that `consumer` is done with these news, but for the windows that it leaves open. First these, *then* the positions, *then*
    /// what was left open before and is done: killed in between, it takes the same rows up again. (A window that is noted as done cannot be
    /// left open again, so it must not be news any more.)
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn take_up(
        &self,
        consumer: &str,
        run_id: &str,
        news: &News,
        stays_open: impl Fn(&OpenWindow) -> bool,
    ) -> Result<()> {
        let (opened, done): (Vec<_>, Vec<_>) = news
            .windows
            .iter()
            .map(|window| (window, stays_open(window)))
            .filter(|(window, stays_open)| *stays_open != window.is_postponed)
            .map(|(window, stays_open)| {
                let (source, group_id, topic, stream, seq) = window.place();
                PostponedRow { consumer, source, group_id, topic, stream, seq, run_id, done: u8::from(!stays_open) }
            })
            .partition(|row| row.done == 0);
        self.write_postponed(&opened)?;
        let positions: Vec<PositionRow<'_>> = news
            .taken
            .iter()
            .map(|Stream { source, group_id, topic, stream, taken, .. }| PositionRow {
                consumer,
                source,
                group_id,
                topic,
                stream: *stream,
                seq: *taken,
                run_id,
            })
            .collect();
        self.write_positions(&positions)?;
        self.write_postponed(&done)
    }

    fn write_postponed(&self, rows: &[PostponedRow<'_>]) -> Result<()> {
        let Some(first) = rows.first() else { return Ok(()) };
        let places = rows.iter().map(|row| (row.source, row.topic, row.stream, row.seq));
        let token = format!("{}/{}", token_of(first.consumer, first.run_id, places), first.done);
        self.insert::<PostponedRow<'static>>(&self.ops, "postponed", &token, rows.iter())
    }

    /// Positions only rise: of two rows the higher number counts.
    pub(super) fn write_positions(&self, positions: &[PositionRow<'_>]) -> Result<()> {
        let Some(first) = positions.first() else { return Ok(()) };
        let places = positions.iter().map(|row| (row.source, row.topic, row.stream, row.seq));
        let token = token_of(first.consumer, first.run_id, places);
        self.insert::<PositionRow<'static>>(&self.ops, "positions", &token, positions.iter())
    }

    /// The windows of some source tables that were closed after a moment, in milliseconds since the epoch.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn windows_since(&self, closed_after_ms: i64, sources: &[&str]) -> Result<News> {
        let condition =
            format!("source IN ({}) AND closed_at > fromUnixTimestamp64Milli({closed_after_ms})", list(sources));
        let rows = self.ledger_rows(&condition, false)?;
        Ok(News { windows: rows.into_iter().filter(|row| row.is_window).collect(), ..News::default() })
    }

    /// The streams that end elsewhere than where the consumer stands; the ends come from a projection of a row per stream.
    fn streams_with_news(&self, consumer: &str, sources: &[&str]) -> Result<Vec<Stream>> {
        let sources = list(sources);
        let sql = format!(
            "SELECT source, group_id, topic, stream, max(last_seq) AS last, maxIf(taken_seq, consumer != '{PRUNED}') AS taken,
                    maxIf(taken_seq, consumer = '{PRUNED}') AS pruned
             FROM
             (
                 SELECT '' AS consumer, source, group_id, topic, stream, max(seq) AS last_seq, 0 AS taken_seq
                 FROM {ops}.windows
                 WHERE source IN ({sources})
                 GROUP BY source, group_id, topic, stream
                 UNION ALL
                 SELECT consumer, source, group_id, topic, stream, 0 AS last_seq, max(seq) AS taken_seq
                 FROM {ops}.positions
                 WHERE consumer IN ({}, '{PRUNED}') AND source IN ({sources})
                 GROUP BY consumer, source, group_id, topic, stream
             )
             GROUP BY source, group_id, topic, stream
             HAVING last != taken
             ORDER BY source, group_id, topic, stream",
            quote(consumer),
            ops = self.ops,
        );
        self.rows("looking for news in the ledger", &sql)
    }

    fn postponed(&self, consumer: &str, sources: &[&str]) -> Result<Vec<OpenWindow>> {
        let open = format!(
            "(source, group_id, topic, stream, seq) IN
             (
                 SELECT source, group_id, topic, stream, seq
                 FROM {}.postponed FINAL
                 WHERE consumer = {} AND source IN ({}) AND done = 0
             )",
            self.ops,
            quote(consumer),
            list(sources)
        );
        self.ledger_rows(&open, true)
    }

    /// Rows of the ledger, stream by stream in the order of their numbers.
    fn ledger_rows(&self, condition: &str, is_postponed: bool) -> Result<Vec<OpenWindow>> {
        let sql = format!(
            "SELECT source, group_id, topic, stream, seq, partition, start_offset, end_offset, truncates, run_id,
                    mode NOT IN ('origin', 'reset') AS is_window, closed_at < now64(3) - INTERVAL 1 HOUR AS is_old,
                    {is_postponed} AS is_postponed
             FROM {}.windows
             WHERE {condition}
             ORDER BY source, group_id, topic, stream, seq
             LIMIT 1 BY source, group_id, topic, stream, seq",
            self.ops,
        );
        self.rows("looking for windows of the ledger", &sql)
    }
}

fn list(texts: &[&str]) -> String {
    texts.iter().map(|text| quote(text)).collect::<Vec<_>>().join(", ")
}

/// The same token for the same rows, and for nothing else: a run notes things down more than once.
fn token_of<'a>(consumer: &str, run_id: &str, places: impl Iterator<Item = (&'a str, &'a str, i32, u64)>) -> String {
    let places: String = places.map(|place| format!("{place:?}")).collect();
    format!("{run_id}/{consumer}/{:032x}", xxh3_128(places.as_bytes()))
}
