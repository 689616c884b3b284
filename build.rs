//! Puts the commit into `--version`. An image build hands it over as LOCKSTEP_COMMIT, since it has no `.git`.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=LOCKSTEP_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    // Written with every commit and checkout; a path that is not there would make cargo build anew each time.
    if std::path::Path::new(".git/logs/HEAD").exists() {
        println!("cargo::rerun-if-changed=.git/logs/HEAD");
    }
    let from_git = || {
        let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = std::env::var("LOCKSTEP_COMMIT").ok().or_else(from_git).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=LOCKSTEP_COMMIT={commit}");
}
