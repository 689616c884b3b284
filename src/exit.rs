//! Exit codes: the contract with Airflow, cron and people.

pub(crate) mod kafka;
pub(crate) mod source;
pub(crate) mod warehouse;

use std::fmt;

use anyhow::Error;
use strum::IntoStaticStr;

/// How a job ends. The numbers follow `sysexits.h` where it has a word for the case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Exit {
    /// Done; also when there was nothing to do.
    Done = 0,
    /// A fault of this program.
    Bug = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A data-quality check said no.
    CheckFailed = 10,
    /// More records were rejected than `--max-reject-ratio` allows.
    TooManyRejects = 65,
    /// Something is unreachable, busy or late: the same command may succeed later.
    TryAgain = 75,
    /// Configuration, a gap in the log or a schema: a retry cannot help, a person must decide.
    NeedsPerson = 78,
    /// Nothing to do, and `--skip-empty` was given.
    NothingToDo = 99,
    /// Ended by SIGTERM or SIGINT; the next run goes on where this one stopped.
    Stopped = 143,
}

impl Exit {
    /// The word for this outcome in summaries and in `{ops}.runs`.
    pub fn status(self) -> &'static str {
        self.into()
    }

    /// The process exit code.
    pub fn code(self) -> i32 {
        self as i32
    }

    /// Reads the exit code out of an error chain: a [`Fault`] says it itself, the errors of the
    /// three clients are judged by the module that owns the client; anything else is a bug.
    pub fn of(error: &Error) -> Exit {
        error
            .chain()
            .find_map(|cause| {
                if let Some(fault) = cause.downcast_ref::<Fault>() {
                    return Some(fault.exit);
                }
                if let Some(e) = cause.downcast_ref::<postgres::Error>() {
                    return Some(source::exit_of(e));
                }
                if let Some(e) = cause.downcast_ref::<clickhouse::error::Error>() {
                    return Some(warehouse::exit_of(e));
                }
                cause.downcast_ref::<rdkafka::error::KafkaError>().map(kafka::exit_of)
            })
            .unwrap_or(Exit::Bug)
    }
}

/// An error that knows how the job must end. Its text says what happened, where, and what to do.
#[derive(Debug)]
pub struct Fault {
    exit: Exit,
    message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// An error that ends the job with `exit`.
pub fn fault(exit: Exit, message: impl Into<String>) -> Error {
    Error::new(Fault { exit, message: message.into() })
}

/// Exit 75: the same command may succeed later.
pub fn try_again(message: impl Into<String>) -> Error {
    fault(Exit::TryAgain, message)
}

/// Exit 78: a person must decide.
pub fn needs_person(message: impl Into<String>) -> Error {
    fault(Exit::NeedsPerson, message)
}

/// Exit 2: the command line is wrong.
pub fn usage(message: impl Into<String>) -> Error {
    fault(Exit::Usage, message)
}

/// An error as one sentence: what happened, where, and what to do, where a server's error alone does not say it.
pub fn told(error: &Error) -> String {
    let advice = error.chain().find_map(|cause| source::advice(cause.downcast_ref()?));
    advice.map_or_else(|| format!("{error:#}"), |advice| format!("{error:#}; {advice}"))
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    #[test]
    fn a_fault_keeps_its_exit_code_under_context() {
        let error = Err::<(), _>(try_again("lock is held")).context("taking the locks").unwrap_err();
        assert_eq!(Exit::of(&error), Exit::TryAgain);
        assert_eq!(format!("{error:#}"), "taking the locks: lock is held");
    }

    #[test]
    fn an_error_nobody_classified_is_a_bug() {
        assert_eq!(Exit::of(&anyhow::anyhow!("index out of range")), Exit::Bug);
    }
}
