//! The pipeline's tables as the engine uses them: worked out of the pipeline's file once, when the process starts, and the same for as long
//! as it lives.
//!
//! ```text
//! PipelineSpec ─ what the file says
//!   │ types    a type for each column; a schema for each table
//!   │ rules    each rule's text → its tree, and where the cells are that it reads
//!   ▼
//! Pipeline ─ Table ─ Reference, Rule
//! ```
//!
//! What is wrong with a type or a rule is told as everything else that is wrong with the file: file, line, column, what to write.

mod key;
mod limits;
mod pipeline;
mod reference;
mod rule;
mod table;

pub use key::KeyColumn;
pub use limits::RuleLimits;
pub use pipeline::Pipeline;
pub use reference::{Fact, Parent, Reference};
pub(crate) use rule::own_scope;
pub use rule::{CompiledRule, InputCell, rule_type};
pub use table::Table;
