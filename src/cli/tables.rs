//! Which tables a job looks at, and how their topics and groups are called.

use clap::Args;

/// What stands before the names of topics and groups.
#[derive(Debug, Clone, Args)]
pub struct PrefixArgs {
    /// Topics are PREFIX.<schema>.<table>, consumer groups PREFIX.ingest-<table>
    #[arg(long, value_name = "PREFIX", env = "TOPIC_PREFIX")]
    pub prefix: String,
}

/// The tables of a pipeline.
#[derive(Debug, Clone, Args)]
pub struct TablesArgs {
    /// Look at this table only; may be repeated [default: every table]
    #[arg(long, value_name = "TABLE")]
    pub table: Vec<String>,
    /// Their topics and groups.
    #[command(flatten)]
    pub prefix: PrefixArgs,
}
