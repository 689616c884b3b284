//! What a job is called with, besides its flags.

use crate::cli::Stop;
use crate::tables::Pipeline;

/// A call of a job.
#[derive(Clone, Copy)]
pub struct Call<'c> {
    /// The job's name.
    pub job: &'c str,
    /// The pipeline that it is about.
    pub pipeline: &'static Pipeline,
    /// Whether it is asked to stop.
    pub stop: &'c Stop,
}
