//! What is wrong with a pipeline: all of it at once, each with its place and with what to write instead.

use std::cell::RefCell;
use std::fmt;

use super::text::{At, Located, SqlFile, Texts};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// File.
    pub file: String,
    /// Line and column, from 1; none if the file cannot be read at all.
    pub place: Option<(usize, usize)>,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub instead: String,
}

impl Problem {
    /// A problem at a place.
    pub fn new(texts: &Texts, at: &At, what: impl Into<String>, instead: impl Into<String>) -> Problem {
        let (file, line, column) = texts.place(at);
        Problem { file: file.to_owned(), place: Some((line, column)), what: what.into(), instead: instead.into() }
    }

    /// A file that cannot be read.
    pub(super) fn of_file(file: impl Into<String>, what: impl Into<String>, instead: impl Into<String>) -> Problem {
        Problem { file: file.into(), place: None, what: what.into(), instead: instead.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.what)?;
        if !self.instead.is_empty() {
            write!(f, "; {}", self.instead)?;
        }
        Ok(())
    }
}

/// Everything that is wrong, in the order of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Collects problems while a pipeline is read.
pub(super) struct Report<'t> {
    texts: &'t Texts,
    found: RefCell<Vec<Problem>>,
}

impl<'t> Report<'t> {
    pub fn new(texts: &'t Texts) -> Report<'t> {
        Report { texts, found: RefCell::default() }
    }

    /// The file of SQL that a text names; that it cannot be read was reported before.
    pub fn sql(&self, path: &Located<String>) -> Option<SqlFile> {
        self.texts.sql(path)
    }

    /// Where byte `offset` of a string's value stands.
    pub fn within(&self, string: &Located<String>, offset: usize) -> At {
        self.texts.within(string, offset)
    }

    pub fn say(&self, at: &At, what: impl Into<String>, instead: impl Into<String>) {
        self.found.borrow_mut().push(Problem::new(self.texts, at, what, instead));
    }

    pub fn add(&self, problems: impl IntoIterator<Item = Problem>) {
        self.found.borrow_mut().extend(problems);
    }

    pub fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// Those of included files behind those of the file itself; each once.
    pub fn into_problems(self) -> Problems {
        let mut found = self.found.into_inner();
        let number = |name: &str| self.texts.0.iter().position(|file| file.name == name);
        found.sort_by_cached_key(|problem| (number(&problem.file), problem.clone()));
        found.dedup();
        Problems(found)
    }
}

/// "write x", for the known name that is nearest to a mistyped one; else the list of them.
pub(super) fn nearest<'n>(unknown: &str, known: impl IntoIterator<Item = &'n str>) -> String {
    const SHOWN: usize = 20;
    let known: Vec<&str> = known.into_iter().collect();
    let distance = |name: &&&str| strsim::damerau_levenshtein(&unknown.to_lowercase(), &name.to_lowercase());
    let comparable = known.iter().filter(|name| name.len().abs_diff(unknown.len()) <= 3 && unknown.len() <= 64);
    match comparable.min_by_key(distance).filter(|name| distance(name) <= 1 + unknown.chars().count() / 4) {
        Some(name) => format!("write {name}"),
        None if known.is_empty() => "leave it out".to_owned(),
        None if known.len() > SHOWN => format!("write one of {}, …", known[..SHOWN].join(", ")),
        None => format!("write one of {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_is_mended() {
        assert_eq!(nearest("colums", ["source", "columns", "key"]), "write columns");
        assert_eq!(nearest("Key", ["source", "key"]), "write key");
        assert_eq!(nearest("primary", ["source", "key"]), "write one of source, key");
        assert_eq!(nearest("primary", []), "leave it out");
        assert_eq!(nearest("ü", ["ö"]), "write ö");
    }
}
