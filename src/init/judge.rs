//! The pipeline's own reader has the last word on a file that `init` writes: what it refuses is taken out, and named with the reader's reason.
//! So there is one description of what can be captured.

use anyhow::{Result, bail};

use super::draft::{Draft, LeftOut};
use super::file::{About, Lines, Names, lines};
use crate::exit::needs_person;
use crate::pipeline::{Origin, Problem};
use crate::tables::Pipeline;

/// The text of a pipeline's file that can be read, and what it says.
///
/// # Errors
/// What is wrong is about the pipeline as a whole: its name, say.
pub fn judged(draft: &mut Draft, names: &Names) -> Result<(String, &'static Pipeline)> {
    loop {
        if draft.tables.is_empty() {
            return Err(needs_person(nothing(&draft.left_out, names)));
        }
        let lines = lines(draft, names);
        let text = lines.text();
        let problem = match Pipeline::read(Origin::Text(text.clone())) {
            Ok(pipeline) => return Ok((text, pipeline)),
            Err(problems) => problems.0.into_iter().next(),
        };
        let Some(problem) = problem else { bail!("the file that was made cannot be read, and nobody says why") };
        take_out(draft, &lines, &problem)?;
    }
}

fn nothing(left_out: &[LeftOut], names: &Names) -> String {
    let database = &names.database;
    if left_out.is_empty() {
        return format!("{database} has no tables, or --schema, --table and --exclude leave none of them");
    }
    let reasons: Vec<String> = left_out.iter().map(LeftOut::to_string).collect();
    format!("no table of {database} can be captured:\n{}", reasons.join("\n"))
}

/// One at a time: what else there was to say may be about the same thing.
fn take_out(draft: &mut Draft, lines: &Lines, problem: &Problem) -> Result<()> {
    let line = problem.place.map_or(0, |(line, _)| line);
    let Problem { what, instead, .. } = problem;
    match lines.about(line) {
        About::Pipeline => return Err(needs_person(format!("{what}; {instead}"))),
        About::Reference(table, reference) => {
            let reference = draft.tables[table].references.remove(reference);
            draft.leave_out_key(table, &reference.constraint, what.clone());
        }
        About::Column(table, column) => {
            let name = draft.tables[table].columns[column].name.clone();
            let is_needed = draft.tables[table].key.contains(&name);
            let is_read = draft.tables[table].columns[column].read.is_ok();
            if is_needed || !is_read {
                draft.leave_out(table, format!("its column {name} cannot be taken: {what}"), instead.clone());
            } else {
                draft.tables[table].columns[column].read = Err(what.clone());
                drop_references_by(draft, table, &name);
            }
        }
        About::Table(table) => draft.leave_out(table, what.clone(), instead.clone()),
    }
    Ok(())
}

fn drop_references_by(draft: &mut Draft, table: usize, column: &str) {
    let references = std::mem::take(&mut draft.tables[table].references);
    for reference in references {
        if reference.columns.iter().any(|name| name == column) {
            draft.leave_out_key(table, &reference.constraint, format!("its column {column} is left out"));
        } else {
            draft.tables[table].references.push(reference);
        }
    }
}

impl Draft {
    /// What is left out, columns too.
    pub fn all_left_out(&self) -> Vec<LeftOut> {
        let columns = self.tables.iter().flat_map(|table| {
            table.columns.iter().filter_map(|column| {
                let why = column.read.as_ref().err()?.clone();
                let what = format!("{}.{}.{}", table.schema, table.table, column.name);
                Some(LeftOut { what, why, instead: "nothing: the other columns are captured".to_owned() })
            })
        });
        self.left_out.iter().cloned().chain(columns).collect()
    }
}
