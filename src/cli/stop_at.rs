//! Named points where a test can freeze the shipped executable, to kill it there: see `docs/DESIGN.md`, crash table.

use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

/// `--stop-at POINT[:N]`: raise SIGSTOP when POINT is passed for the Nth time (from 1).
#[derive(Debug, Default)]
pub struct StopAt {
    point: Option<(String, u32)>,
    passed: AtomicU32,
}

impl StopAt {
    /// Freezes the process here if this is the point.
    pub fn pass(&self, name: &str) {
        let Some((point, nth)) = &self.point else { return };
        if point == name && self.passed.fetch_add(1, Ordering::SeqCst) + 1 == *nth {
            // SAFETY: raise with a valid signal number; the process stops until it is continued or killed.
            unsafe { libc::raise(libc::SIGSTOP) };
        }
    }
}

impl Clone for StopAt {
    fn clone(&self) -> Self {
        StopAt { point: self.point.clone(), passed: AtomicU32::new(0) }
    }
}

impl FromStr for StopAt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (point, nth) = match text.split_once(':') {
            Some((point, nth)) => (point, nth.parse().map_err(|e| format!("{nth:?}: {e}"))?),
            None => (text, 1),
        };
        Ok(StopAt { point: Some((point.to_owned(), nth)), passed: AtomicU32::new(0) })
    }
}
