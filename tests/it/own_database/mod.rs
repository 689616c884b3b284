//! Databases that nobody has described: `init` writes the pipeline, nobody edits it, and everything flows.

mod catalogue;
mod drift;
mod flows;
mod history;
mod stack;
