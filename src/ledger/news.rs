//! What a consumer (a check, a derived table) has not taken up of the ledger. It remembers one number per stream: up to there it has
//! seen everything. Rows have dense numbers, so it takes the rows above its number *up to the first hole*: a row that becomes visible
//! late, for whatever reason, still stands above the position. No clock is asked, and no list of windows is kept: windows are read page by
//! page, and what is kept of them does not grow with their number.

use std::collections::HashMap;

use anyhow::Result;

use crate::exit::needs_person;
use crate::ledger::seq_set::SeqSet;
use crate::ledger::spans::{OffsetSpan, Spans};
use crate::ledger::stream_key::{STREAM_KEY, StreamKey};
use crate::ledger::unacked_window::UnackedWindow;
use crate::ledger::unread::Stream;
use crate::warehouse::{Warehouse, quote};

/// Streams that one statement names: far below `max_query_size`.
pub(super) const STREAMS: usize = 100;

/// Rows of the ledger that are in memory at a time.
const PAGE: usize = 10_000;

/// Runs that are known by name.
const MOST_RUNS: usize = 1_000;

/// In `positions`: up to there rows of a stream were removed, because everybody had taken them up.
pub(super) const PRUNED: &str = "(pruned)";

/// What a consumer has to take up.
#[derive(Debug, Default)]
pub struct News {
    /// So many windows.
    pub windows: u64,
    /// TRUNCATE events in them.
    pub truncates: u64,
    /// The offsets in them, by source table.
    spans: HashMap<String, Spans>,
    /// The runs that closed the last of them, each with the number of its last window.
    runs: HashMap<String, u64>,
    /// The streams that had something.
    pub(super) taken: Vec<Taken>,
    /// Windows that the consumer has left open before.
    pub(super) postponed: SeqSet,
    /// What is wrong with the ledger, and what to do about it.
    faults: Vec<String>,
}

/// How much of a stream is taken up.
#[derive(Debug)]
pub(super) struct Taken {
    pub place: StreamKey,
    /// Where the consumer stands, …
    pub before: u64,
    /// … and where it stands once it is done.
    pub up_to: u64,
    /// There is a hole; what stands behind it is not looked at.
    is_cut: bool,
}

impl News {
    /// Is the ledger whole? Whatever could be taken up is among the news all the same.
    ///
    /// # Errors
    /// Exit 78: rows are missing.
    pub fn is_whole(&self) -> Result<()> {
        if self.faults.is_empty() { Ok(()) } else { Err(needs_person(self.faults.join("; "))) }
    }

    /// The offsets in a table's windows.
    pub fn spans(&self, source: &str) -> Vec<OffsetSpan> {
        self.spans.get(source).map(Spans::closest).unwrap_or_default()
    }

    /// The runs that closed the last windows, at most a thousand.
    pub fn last_runs(&self) -> Vec<String> {
        let mut runs = self.runs.clone();
        keep_last(&mut runs);
        runs.into_keys().collect()
    }

    /// Is it above the position that the consumer had, among what is taken up?
    pub(super) fn has_as_new(&self, window: &UnackedWindow) -> bool {
        self.taken.iter().any(|taken| taken.has(window))
    }

    fn take_in(&mut self, window: UnackedWindow) {
        self.windows += 1;
        self.truncates += window.truncates;
        match self.spans.get_mut(&window.place.source) {
            Some(spans) => spans.add(&window),
            None => self.spans.entry(window.place.source.clone()).or_default().add(&window),
        }
        self.runs.insert(window.run_id, self.windows);
        if self.runs.len() > 2 * MOST_RUNS {
            keep_last(&mut self.runs);
        }
    }
}

fn keep_last(runs: &mut HashMap<String, u64>) {
    let mut numbers: Vec<u64> = runs.values().copied().collect();
    numbers.sort_unstable();
    let first = numbers[numbers.len().saturating_sub(MOST_RUNS)..].first().copied().unwrap_or_default();
    runs.retain(|_, number| *number >= first);
}

impl FromIterator<UnackedWindow> for News {
    fn from_iter<W: IntoIterator<Item = UnackedWindow>>(windows: W) -> News {
        let mut news = News::default();
        windows.into_iter().for_each(|window| news.take_in(window));
        news
    }
}

impl Taken {
    fn of(stream: &Stream) -> Taken {
        let before = stream.taken.max(stream.pruned);
        Taken { place: stream.place.clone(), before, up_to: before, is_cut: false }
    }

    /// Takes the stream's next row, unless there is a hole before it.
    fn take(&mut self, seq: u64) -> bool {
        self.is_cut |= seq != self.up_to + 1;
        if !self.is_cut {
            self.up_to = seq;
        }
        !self.is_cut
    }

    fn has(&self, row: &UnackedWindow) -> bool {
        self.place == row.place && self.before < row.seq && row.seq <= self.up_to
    }
}

impl Warehouse {
    /// What `consumer` has not taken up of some source tables: in each stream the rows above its position up to the first hole, and the
    /// windows that it has left open.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn news(&self, consumer: &str, sources: &[&str]) -> Result<News> {
        let (waiting, cut_off): (Vec<_>, Vec<_>) =
            self.streams_with_news(consumer, sources)?.into_iter().partition(|stream| stream.taken < stream.last);
        let mut news =
            News { faults: cut_off.iter().map(|stream| stream.is_cut_off(consumer)).collect(), ..News::default() };
        let begins_late = waiting.iter().filter(|stream| stream.taken < stream.pruned);
        news.faults.extend(begins_late.map(|stream| stream.begins_late(consumer)));
        for chunk in waiting.chunks(STREAMS) {
            self.take_prefixes(&mut news, chunk)?;
        }
        // After the positions: what another run notes down meanwhile is looked at twice, never missed.
        self.each_row(&self.is_postponed(consumer, sources), |window| {
            news.postponed.add(&window.place, window.seq);
            // Killed before it has written its position, a run has left open what is new.
            if !news.has_as_new(&window) {
                news.take_in(window);
            }
        })?;
        Ok(news)
    }

    /// The rows of some streams, in each up to the first hole.
    fn take_prefixes(&self, news: &mut News, streams: &[Stream]) -> Result<()> {
        let mut taken: Vec<Taken> = streams.iter().map(Taken::of).collect();
        let above: Vec<String> =
            taken.iter().map(|taken| format!("({} AND seq > {})", taken.place.sql(), taken.before)).collect();
        let mut at = 0;
        self.each_row(&above.join(" OR "), |row| {
            at += taken[at..].iter().take_while(|taken| taken.place != row.place).count();
            let Some(stream) = taken.get_mut(at).filter(|stream| !stream.is_cut) else { return };
            match stream.take(row.seq) {
                true if row.is_window => news.take_in(row),
                false if row.is_old => news.faults.push(streams[at].has_hole(stream.up_to, row.seq)),
                _ => {}
            }
        })?;
        news.taken.extend(taken.into_iter().filter(|taken| taken.before < taken.up_to));
        Ok(())
    }

    /// The windows of some source tables that were closed after a moment, in milliseconds since the epoch.
    ///
    /// # Errors
    /// The server is gone, or `migrate` has not run.
    pub fn windows_since(&self, closed_after_ms: i64, sources: &[&str]) -> Result<News> {
        let mut news = News::default();
        let condition =
            format!("source IN ({}) AND closed_at > fromUnixTimestamp64Milli({closed_after_ms})", list(sources));
        self.each_row(&condition, |row| {
            if row.is_window {
                news.take_in(row);
            }
        })?;
        Ok(news)
    }

    /// The streams that end elsewhere than where the consumer stands; the ends come from a projection of a row per stream.
    fn streams_with_news(&self, consumer: &str, sources: &[&str]) -> Result<Vec<Stream>> {
        let sources = list(sources);
        let sql = format!(
            "SELECT ({STREAM_KEY}) AS place, max(last_seq) AS last, maxIf(taken_seq, consumer != '{PRUNED}') AS taken,
                    maxIf(taken_seq, consumer = '{PRUNED}') AS pruned
             FROM
             (
                 SELECT '' AS consumer, {STREAM_KEY}, max(seq) AS last_seq, 0 AS taken_seq
                 FROM {ops}.windows
                 WHERE source IN ({sources})
                 GROUP BY {STREAM_KEY}
                 UNION ALL
                 SELECT consumer, {STREAM_KEY}, 0 AS last_seq, max(seq) AS taken_seq
                 FROM {ops}.positions
                 WHERE consumer IN ({}, '{PRUNED}') AND source IN ({sources})
                 GROUP BY consumer, {STREAM_KEY}
             )
             GROUP BY {STREAM_KEY}
             HAVING last != taken
             ORDER BY {STREAM_KEY}",
            quote(consumer),
            ops = self.ops,
        );
        self.rows("looking for news in the ledger", &sql)
    }

    /// As a condition: the consumer has left it open.
    pub(super) fn is_postponed(&self, consumer: &str, sources: &[&str]) -> String {
        format!(
            "({STREAM_KEY}, seq) IN (SELECT {STREAM_KEY}, seq FROM {}.postponed FINAL WHERE consumer = {} AND source IN ({}) AND done = 0)",
            self.ops,
            quote(consumer),
            list(sources)
        )
    }

    /// Rows of the ledger, stream by stream in the order of their numbers, page by page. A server that reads ahead would read half of what is
    /// left for each of them.
    pub(super) fn each_row(&self, condition: &str, mut each: impl FnMut(UnackedWindow)) -> Result<()> {
        let mut behind = "1".to_owned();
        loop {
            let sql = format!(
                "SELECT ({STREAM_KEY}) AS place, seq, partition, start_offset, end_offset, truncates, run_id,
                        mode NOT IN ('origin', 'reset') AS is_window, closed_at < now64(3) - INTERVAL 1 HOUR AS is_old
                 FROM {}.windows
                 WHERE ({condition}) AND {behind}
                 ORDER BY {STREAM_KEY}, seq
                 LIMIT 1 BY {STREAM_KEY}, seq
                 LIMIT {PAGE}
                 SETTINGS max_threads = 1, read_in_order_use_buffering = 0",
                self.ops,
            );
            let page: Vec<UnackedWindow> = self.rows("looking for windows of the ledger", &sql)?;
            let is_last = page.len() < PAGE;
            if let Some(last) = page.last() {
                behind = last.place.behind(last.seq);
            }
            page.into_iter().for_each(&mut each);
            if is_last {
                return Ok(());
            }
        }
    }
}

fn list(texts: &[&str]) -> String {
    texts.iter().map(|text| quote(text)).collect::<Vec<_>>().join(", ")
}
