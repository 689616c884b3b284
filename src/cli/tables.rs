//! Which tables a job looks at, and how their topics and groups are called.

use clap::Args;

/// The tables of a pipeline.
#[derive(Debug, Clone, Args)]
pub struct TablesArgs {
    /// Look at this table only; may be repeated [default: every table that has a job]
    #[arg(long, value_name = "TABLE")]
    pub table: Vec<String>,
    /// What stands before .public.<table> in the topics' names
    #[arg(long, value_name = "NAME", default_value = "northwind")]
    pub topic_prefix: String,
    /// What stands before .ingest-<table> in the consumer groups' names
    #[arg(long, value_name = "NAME", default_value = "northwind")]
    pub group_prefix: String,
}
