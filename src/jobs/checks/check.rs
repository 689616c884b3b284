//! The kinds of checks, each with its job.

use anyhow::Result;
use strum::{IntoStaticStr, VariantArray};

use crate::checks::checker::Checker;
use crate::checks::results::CheckResult;
use crate::checks::slice::Slice;
use crate::jobs::checks::{freshness, integrity, reconcile, rules, volume};
use crate::tables::Table;

/// A kind of check; a job of its own. What is quick and explains the rest comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(prefix = "check-", serialize_all = "lowercase")]
pub enum Check {
    Freshness,
    Volume,
    Integrity,
    Rules,
    Reconcile,
}

impl Check {
    /// Its job, by which it also takes up windows.
    pub fn job(self) -> &'static str {
        self.into()
    }

    pub fn about(self) -> &'static str {
        match self {
            Check::Freshness => "Is the oldest change that has not come to the warehouse too old?",
            Check::Volume => "Is a run's number of records like that of the runs before it?",
            Check::Integrity => {
                "One live row per key, no placeholders, no empty required texts, no row that references nothing, or that the source's CHECKs forbid"
            }
            Check::Rules => "Which rows break a business rule, and is it the source's fault or the pipeline's?",
            Check::Reconcile => "Compare every row of the source with the warehouse, exactly, while both move",
        }
    }

    /// What a result is called that stands for all checks of the job, because none could be made.
    pub fn stands_for(self) -> &'static str {
        self.job().trim_start_matches("check-")
    }

    pub fn run(self, checker: &mut Checker<'_>, table: &'static Table, slice: &Slice) -> Result<Vec<CheckResult>> {
        match self {
            Check::Freshness => freshness::check(checker, table),
            Check::Volume => volume::check(checker, table, slice),
            Check::Integrity => integrity::check(checker, table, slice),
            Check::Rules => rules::check(checker, table, slice),
            Check::Reconcile => reconcile::check(checker, table, slice),
        }
    }
}
