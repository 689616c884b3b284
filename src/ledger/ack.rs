//! A consumer notes down what it has taken up of the ledger: how far it is in each stream, and the windows below that it has to look at again.

use anyhow::Result;
use clickhouse::Row;
use serde::Serialize;
use xxhash_rust::xxh3::xxh3_128;

use crate::ledger::news::{News, STREAMS};
use crate::ledger::seq_set::SeqSet;
use crate::ledger::stream_key::StreamKey;
use crate::ledger::unacked_window::UnackedWindow;
use crate::warehouse::Warehouse;

/// Rows of `postponed` that are in memory at a time.
const BATCH: usize = 10_000;

#[derive(Row, Serialize)]
pub(super) struct PositionRow<'a> {
    consumer: &'a str,
    source: &'a str,
    group_id: &'a str,
    topic: &'a str,
    stream: i32,
    seq: u64,
    run_id: &'a str,
}

impl<'a> PositionRow<'a> {
    pub fn of(consumer: &'a str, place: &'a StreamKey, seq: u64, run_id: &'a str) -> PositionRow<'a> {
        let StreamKey { source, group_id, topic, stream } = place;
        PositionRow { consumer, source, group_id, topic, stream: *stream, seq, run_id }
    }
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

/// A run of a consumer.
#[derive(Clone, Copy)]
pub struct Consumer<'c> {
    /// Its name in `positions`.
    pub name: &'c str,
    /// The run.
    pub run_id: &'c str,
    /// For tests: is told where it is.
    pub failpoint: &'c dyn Fn(&str),
}

/// Which windows stay open.
pub type StaysOpen<'f> = &'f dyn Fn(&UnackedWindow) -> bool;

impl Warehouse {
    /// Notes down that `consumer` is done with these news of `sources`, but for the windows that it leaves open, if any. First these, *then* the
    /// positions, *then* what was left open before and is done: killed in between, it takes the same rows up again. (A window that is noted as done
    /// cannot be left open again, so it must not be news any more.)
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn ack(
        &self,
        consumer: Consumer<'_>,
        sources: &[&str],
        news: &News,
        stays_open: Option<StaysOpen<'_>>,
    ) -> Result<()> {
        let (opened, done) = match stays_open {
            None => (SeqSet::default(), news.postponed.clone()),
            Some(stays_open) => self.opened_and_done(consumer.name, sources, news, stays_open)?,
        };
        self.write_postponed(consumer, &opened, false)?;
        (consumer.failpoint)("windows-left-open");
        let positions: Vec<PositionRow<'_>> = news
            .taken
            .iter()
            .map(|taken| PositionRow::of(consumer.name, &taken.place, taken.up_to, consumer.run_id))
            .collect();
        self.write_positions(&positions)?;
        (consumer.failpoint)("positions-written");
        self.write_postponed(consumer, &done, true)
    }

    /// The windows of the news that are left open and were not before, and those that were and are not any more.
    fn opened_and_done(
        &self,
        consumer: &str,
        sources: &[&str],
        news: &News,
        stays_open: StaysOpen<'_>,
    ) -> Result<(SeqSet, SeqSet)> {
        let (mut opened, mut done) = (SeqSet::default(), SeqSet::default());
        let mut note =
            |window: &UnackedWindow| match (stays_open(window), news.postponed.contains(&window.place, window.seq)) {
                (true, false) => opened.add(&window.place, window.seq),
                (false, true) => done.add(&window.place, window.seq),
                _ => {}
            };
        for chunk in news.taken.chunks(STREAMS) {
            let new: Vec<String> = chunk
                .iter()
                .map(|taken| format!("({} AND seq > {} AND seq <= {})", taken.place.sql(), taken.before, taken.up_to))
                .collect();
            self.each_row(&new.join(" OR "), |row| {
                if row.is_window {
                    note(&row);
                }
            })?;
        }
        // Only what was looked at: another run of the consumer may have left open more meanwhile.
        self.each_row(&self.is_postponed(consumer, sources), |window| {
            if news.postponed.contains(&window.place, window.seq) && !news.has_as_new(&window) {
                note(&window);
            }
        })?;
        Ok((opened, done))
    }

    fn write_postponed(&self, consumer: Consumer<'_>, windows: &SeqSet, is_done: bool) -> Result<()> {
        let Consumer { name, run_id, .. } = consumer;
        let mut windows = windows.iter().map(|(StreamKey { source, group_id, topic, stream }, seq)| PostponedRow {
            consumer: name,
            source,
            group_id,
            topic,
            stream: *stream,
            seq,
            run_id,
            done: u8::from(is_done),
        });
        loop {
            let rows: Vec<PostponedRow<'_>> = windows.by_ref().take(BATCH).collect();
            if rows.is_empty() {
                return Ok(());
            }
            let places = rows.iter().map(|row| (row.source, row.group_id, row.topic, row.stream, row.seq));
            let token = format!("{}/{}", token_of(name, run_id, places), u8::from(is_done));
            self.insert::<PostponedRow<'static>>(&self.ops, "postponed", &token, rows.iter())?;
        }
    }

    /// Positions only rise: of two rows the higher number counts.
    pub(super) fn write_positions(&self, positions: &[PositionRow<'_>]) -> Result<()> {
        let Some(first) = positions.first() else { return Ok(()) };
        let places = positions.iter().map(|row| (row.source, row.group_id, row.topic, row.stream, row.seq));
        let token = token_of(first.consumer, first.run_id, places);
        self.insert::<PositionRow<'static>>(&self.ops, "positions", &token, positions.iter())
    }
}

/// The same token for the same rows, and for nothing else: a run notes things down more than once.
fn token_of<'a>(
    consumer: &str,
    run_id: &str,
    places: impl Iterator<Item = (&'a str, &'a str, &'a str, i32, u64)>,
) -> String {
    let places: String = places.map(|place| format!("{place:?}")).collect();
    format!("{run_id}/{consumer}/{:032x}", xxh3_128(places.as_bytes()))
}
