//! A progress bar on a terminal; otherwise a log line now and then, so that a long run is seen to live.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const HEARTBEAT: Duration = Duration::from_secs(30);

/// Shows how many of the planned records are done.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    label: String,
    total: u64,
    done: u64,
    last_line: Instant,
}

impl Progress {
    /// `total` is the number of offsets planned.
    pub fn new(label: &str, total: u64) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} eta {eta}") {
                bar.set_style(style);
            }
            bar.set_message(label.to_owned());
            bar
        });
        Progress { bar, label: label.to_owned(), total, done: 0, last_line: Instant::now() }
    }

    /// `records` more offsets are settled.
    pub fn advance(&mut self, records: u64) {
        self.done += records;
        match &self.bar {
            Some(bar) => bar.inc(records),
            None if self.last_line.elapsed() >= HEARTBEAT => {
                tracing::info!("{}: {} of {} offsets done", self.label, self.done, self.total);
                self.last_line = Instant::now();
            }
            None => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
