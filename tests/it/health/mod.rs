//! What is seen of jobs and servers from outside: `observe`, its alarms, `lag` and `doctor`.

mod alarms;
mod doctor;
mod job_runs;
mod lag;
mod observe;
mod rows_missing;
