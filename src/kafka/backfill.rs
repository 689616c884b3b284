//! Backfills: `--offsets`, `--since/--until`, `--from-beginning`. They never move the group.

use std::str::FromStr;

use anyhow::Result;
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

use crate::cli::parse_duration;
use crate::exit::usage;
use crate::kafka::{Committed, Consumer, Span, offsets_at};

/// `p:a..b`, as in `--offsets 0:100..200`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetRange {
    /// Partition.
    pub partition: i32,
    /// Offsets.
    pub span: Span,
}

impl FromStr for OffsetRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (partition, offsets) = text.split_once(':')?;
            let (start, end) = offsets.split_once("..")?;
            let range = OffsetRange {
                partition: partition.parse().ok()?,
                span: Span { start: start.parse().ok()?, end: end.parse().ok()? },
            };
            (range.partition >= 0 && range.span.start >= 0 && range.span.start < range.span.end).then_some(range)
        };
        parse().ok_or_else(|| format!("{text:?} is not PARTITION:START..END with START < END, as in 0:100..200"))
    }
}

/// What was asked for instead of "what is new": offsets to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backfill {
    /// Log start to the committed offset.
    FromBeginning,
    /// By the records' timestamps, half-open.
    Between(Option<DateTime<Utc>>, Option<DateTime<Utc>>),
    /// These offsets.
    Offsets(Vec<OffsetRange>),
}

impl Backfill {
    /// The spans that it stands for, partition by partition.
    ///
    /// # Errors
    /// The brokers do not answer; a range lies outside of the log.
    pub fn spans(
        &self,
        consumer: &Consumer,
        topic: &str,
        partitions: &[i32],
        log: &[Span],
        committed: &[Option<Committed>],
    ) -> Result<Vec<(i32, Span)>> {
        let mut spans = Vec::new();
        match self {
            Backfill::FromBeginning => {
                for ((partition, log), committed) in partitions.iter().zip(log).zip(committed) {
                    let end = committed.as_ref().map_or(log.start, |c| c.offset);
                    spans.push((*partition, Span { start: log.start, end: end.min(log.end) }));
                }
            }
            Backfill::Between(since, until) => {
                let at = |time: &Option<DateTime<Utc>>| -> Result<Vec<Option<i64>>> {
                    match time {
                        Some(time) => offsets_at(consumer, topic, partitions, time.timestamp_millis()),
                        None => Ok(vec![None; partitions.len()]),
                    }
                };
                let (starts, ends) = (at(since)?, at(until)?);
                for (i, partition) in partitions.iter().enumerate() {
                    let start = if since.is_some() { starts[i].unwrap_or(log[i].end) } else { log[i].start };
                    spans.push((*partition, Span { start, end: ends[i].unwrap_or(log[i].end) }));
                }
            }
            Backfill::Offsets(ranges) => {
                for range in ranges {
                    let OffsetRange { partition, span } = *range;
                    let Some(at) = partitions.iter().position(|p| *p == partition) else {
                        return Err(usage(format!(
                            "--offsets {partition}:{span}: {topic} has no partition {partition} here (it has {partitions:?})"
                        )));
                    };
                    if span.start < log[at].start || span.end > log[at].end {
                        return Err(crate::exit::needs_person(format!(
                            "--offsets {partition}:{span}: the log of {topic}, partition {partition} holds {}",
                            log[at]
                        )));
                    }
                    spans.push((partition, span));
                }
            }
        }
        spans.retain(|(_, span)| !span.is_empty());
        Ok(spans)
    }
}

/// A time as people write it: `2026-01-31T08:00:00Z`, `2026-01-31 08:00:00`, `2026-01-31` (UTC), or `15m`, `2h`, `1d` ago.
///
/// # Errors
/// It is none of these.
pub fn parse_time(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.with_timezone(&Utc));
    }
    for form in ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, form) {
            return Ok(time.and_utc());
        }
    }
    if let Some(time) = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().and_then(|date| date.and_hms_opt(0, 0, 0)) {
        return Ok(time.and_utc());
    }
    let ago = parse_duration(text).ok().and_then(|ago| TimeDelta::from_std(ago).ok());
    ago.and_then(|ago| Utc::now().checked_sub_signed(ago))
        .ok_or_else(|| format!("{text:?} is not a time: use 2026-01-31T08:00:00Z, 2026-01-31, or 15m, 2h, 1d (ago)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_ranges_are_half_open_and_not_empty() {
        let range: OffsetRange = "3:100..200".parse().unwrap();
        assert_eq!((range.partition, range.span.len()), (3, 100));
        for wrong in ["100..200", "0:5..5", "0:9..5", "-1:0..5", "0:a..b", "0:1"] {
            assert!(wrong.parse::<OffsetRange>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(parse_time("2026-01-31").unwrap().to_rfc3339(), "2026-01-31T00:00:00+00:00");
        assert_eq!(parse_time("2026-01-31T08:00:00+02:00").unwrap().to_rfc3339(), "2026-01-31T06:00:00+00:00");
        let two_hours_ago = parse_time("2h").unwrap();
        assert_eq!((Utc::now() - two_hours_ago).num_minutes(), 120);
        assert!(parse_time("yesterday").is_err());
        assert!(parse_time("é").is_err());
    }
}
