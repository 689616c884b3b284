//! The texts that a pipeline is read from, and places in them.

use std::fmt;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};

/// One of the files of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextFile {
    /// As it is named in messages.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// A range of bytes of one of the files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    pub(super) file: usize,
    start: usize,
    end: usize,
}

impl At {
    pub(super) fn new(file: usize, range: Range<usize>) -> At {
        At { file, start: range.start, end: range.end }
    }
}

/// A value, and where the file says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub at: At,
}

impl<T> Located<T> {
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Located<U> {
        Located { value: change(self.value), at: self.at }
    }
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Display> fmt::Display for Located<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// The files of a pipeline: the one that was asked for, then those that it includes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts(pub(super) Vec<TextFile>);

/// A file of SQL that a pipeline names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlFile {
    /// Its name, without the folder.
    pub name: String,
    /// Its content.
    pub text: String,
    file: usize,
}

impl SqlFile {
    /// Where one of its bytes stands.
    pub fn at(&self, offset: usize) -> At {
        At::new(self.file, offset..offset)
    }
}

/// A file as another one names it: beside it, unless it says where.
pub(super) fn beside(file: &str, path: &str) -> PathBuf {
    Path::new(file).parent().unwrap_or(Path::new("")).join(path)
}

impl Texts {
    /// The file of SQL that the text at `place` names, if it could be read.
    pub(super) fn sql(&self, path: &Located<String>) -> Option<SqlFile> {
        let named = beside(&self.0.get(path.at.file)?.name, path).display().to_string();
        let file = self.0.iter().position(|file| file.name == named)?;
        let name = Path::new(&named).file_name()?.to_string_lossy().into_owned();
        Some(SqlFile { name, text: self.0[file].text.clone(), file })
    }

    /// The files.
    pub fn files(&self) -> &[TextFile] {
        &self.0
    }

    /// File name, line and column of a place; both count from 1, the column in characters.
    pub fn place(&self, at: &At) -> (&str, usize, usize) {
        let Some(file) = self.0.get(at.file) else { return ("", 1, 1) };
        let before = file.text.get(..at.start).unwrap_or(&file.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.matches('\n').count() + 1;
        let column = before[line_start..].trim_start_matches('\u{feff}').chars().count() + 1;
        (&file.name, line, column)
    }

    /// Where byte `offset` of a string's value stands in the file, whatever escapes the file writes before it.
    pub fn within(&self, string: &Located<String>, offset: usize) -> At {
        let literal = self.0.get(string.at.file).and_then(|file| file.text.get(string.at.start..string.at.end));
        let start = string.at.start + literal.map_or(0, |literal| offset_in_literal(literal, offset));
        At { file: string.at.file, start, end: string.at.end }
    }
}

/// Byte `offset` of a TOML string's value, as an offset into the string as it is written, quotes and escapes included.
fn offset_in_literal(literal: &str, offset: usize) -> usize {
    let quotes = if literal.starts_with("\"\"\"") || literal.starts_with("'''") { 3 } else { 1 };
    let has_escapes = literal.starts_with('"');
    let mut written = quotes;
    if quotes == 3 {
        // A line break right behind the quotes is no part of the value.
        let rest = literal.get(3..).unwrap_or_default();
        written += if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    }
    let mut value = 0;
    while value < offset {
        let Some(rest) = literal.get(written..).filter(|rest| !rest.is_empty()) else { break };
        let (width, length) = if has_escapes { piece(rest) } else { plain(rest) };
        written += width;
        value += length;
    }
    written.min(literal.len())
}

/// How many bytes the next character takes as it is written, and how many of the value it is.
fn plain(rest: &str) -> (usize, usize) {
    let length = rest.chars().next().map_or(1, char::len_utf8);
    (length, length)
}

/// As [`plain`], in a string with escapes.
fn piece(rest: &str) -> (usize, usize) {
    let Some(escaped) = rest.strip_prefix('\\') else { return plain(rest) };
    let digits = match escaped.chars().next() {
        Some('x') => 2,
        Some('u') => 4,
        Some('U') => 8,
        // A backslash at a line's end: what follows up to the next character is not part of the value.
        Some(' ' | '\t' | '\r' | '\n') => return (1 + escaped.len() - escaped.trim_start().len(), 0),
        Some(_) => return (2, 1),
        None => return (1, 0),
    };
    let code = escaped.get(1..=digits).and_then(|code| u32::from_str_radix(code, 16).ok());
    (2 + digits, code.and_then(char::from_u32).map_or(1, char::len_utf8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Texts {
        Texts(vec![TextFile { name: "x.toml".to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn places_count_from_one_in_characters() {
        let texts = texts("\u{feff}a\nüü = 1\n");
        assert_eq!(texts.place(&At::new(0, 3..4)), ("x.toml", 1, 1));
        assert_eq!(texts.place(&At::new(0, 9..10)), ("x.toml", 2, 3));
        assert_eq!(texts.place(&At::new(0, 99..100)), ("x.toml", 3, 1));
    }

    #[test]
    fn a_place_in_a_string_is_one_in_the_file() {
        for (literal, part) in [
            ("'a = b'", "b"),
            (r#""\"order\".x = y""#, "y"),
            (r#""\u00e9\x41\U0001F600\t= y""#, "y"),
            ("'''\na\n= y'''", "y"),
            ("\"\"\"\r\na \\\n   = y\"\"\"", "y"),
            ("\"ü = y\"", "y"),
        ] {
            let text = format!("k = {literal}\n");
            let value: toml::Table = toml::from_str(&text).unwrap();
            let value = value["k"].as_str().unwrap().to_owned();
            let offset = value.find(part).unwrap();
            let string = Located { value, at: At::new(0, 4..4 + literal.len()) };
            let at = texts(&text).within(&string, offset);
            assert!(text[at.start..].starts_with(part), "{literal}: {:?}", &text[at.start..]);
            assert!(texts(&text).within(&string, 1_000).start <= text.len());
        }
    }
}
