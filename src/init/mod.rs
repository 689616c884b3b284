//! A pipeline for a database that nobody has described yet: what there is is read from its catalogue, what can be taken becomes a pipeline's file,
//! and what cannot is named with its reason.
//!
//! | room | what |
//! |---|---|
//! | `choice` | which tables are asked for |
//! | `draft` | what becomes of a table: taken, or left out and why |
//! | `refusal` | why a table cannot be captured, whatever its key is |
//! | `key` | which of a table's keys |
//! | `names` | names for tables and references |
//! | `file` | the text of `lockstep.toml` |
//! | `judge` | the pipeline's own reader has the last word: what it refuses is taken out |
//! | `folder` | the files of the folder |
//! | `drift` | what the source has and a file does not, and the other way round |

mod choice;
mod draft;
mod drift;
mod file;
mod folder;
mod judge;
mod key;
mod names;
mod refusal;

pub use choice::Choice;
pub use draft::{Draft, LeftOut};
pub use drift::{Drift, drift, update};
pub use file::Names;
pub use folder::{Address, FILE, files};
pub use judge::judged;
pub use names::pipeline_name;
