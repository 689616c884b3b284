//! Words for stdout. Whoever reads them may stop: `lag | head` ends as any other program does, and a job does its work to the end.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

/// Writes to stdout. That nobody reads any more is no error; any other is said on stderr.
pub fn write(words: Arguments<'_>) {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_fmt(words).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => eprintln!("writing to stdout: {error}"),
        _ => {}
    }
}

/// As `print!`, and does not panic when nobody reads.
macro_rules! say {
    ($($words:tt)*) => { $crate::cli::say::write(format_args!($($words)*)) };
}

/// As `println!`, and does not panic when nobody reads.
macro_rules! sayln {
    () => { $crate::cli::say::write(format_args!("\n")) };
    ($($words:tt)*) => { $crate::cli::say::write(format_args!("{}\n", format_args!($($words)*))) };
}

pub(crate) use {say, sayln};
