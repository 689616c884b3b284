//! SIGTERM and SIGINT: stop reading, finish what is in flight, leave nothing half-committed, be gone in 5 s.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::cli::say::sayln;
use crate::exit::Exit;

/// What a job may still use after the signal; `docker stop` waits 10 s, an impatient supervisor less.
const GRACE: Duration = Duration::from_secs(4);

/// Asks the job to stop, and stops the process itself when the job does not.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    shutdown_summary: Arc<Mutex<String>>,
}

impl Stop {
    /// Installs the handlers. The second signal, or the end of the grace time, ends the process at once:
    /// that is safe at any point, because a window counts only from its ledger row on.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn on_signals() -> Result<Stop> {
        let stop = Stop::default();
        // In the handler itself: a job that goes on after the signal must not be faster than the thread below.
        for signal in [SIGTERM, SIGINT] {
            signal_hook::flag::register(signal, Arc::clone(&stop.asked)).context("installing signal handlers")?;
        }
        let mut signals =
            signal_hook::iterator::Signals::new([SIGTERM, SIGINT]).context("installing signal handlers")?;
        let watcher = stop.clone();
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || {
                if signals.forever().next().is_none() {
                    return;
                }
                let deadline = std::time::Instant::now() + GRACE;
                while std::time::Instant::now() < deadline && signals.pending().next().is_none() {
                    std::thread::sleep(Duration::from_millis(20));
                }
                watcher.exit_now();
            })
            .context("starting the signal thread")?;
        Ok(stop)
    }

    /// Has a signal come?
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// The summary line to print if the process has to be ended before the job returns.
    pub fn remember(&self, summary: String) {
        *self.shutdown_summary.lock().unwrap_or_else(PoisonError::into_inner) = summary;
    }

    fn exit_now(&self) -> ! {
        let words = self.shutdown_summary.lock().unwrap_or_else(PoisonError::into_inner);
        if !words.is_empty() {
            sayln!("{words}");
        }
        std::process::exit(Exit::Stopped.code())
    }
}
