//! Which pipeline it is, and the files that it is made of.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{Read, Result};
use std::path::{Path, PathBuf};

use super::derived::SQL_FILES;
use super::problem::Problem;
use super::text::{At, TextFile, Texts, beside};

/// A file of a pipeline's folder, with its text.
macro_rules! file {
    ($($part:literal)+) => {
        (concat!("pipelines/", $($part),+), include_str!(concat!("../../pipelines/", $($part),+)))
    };
}

/// The files of a pipeline: the one that says what there is, then those of SQL that it names.
macro_rules! embed {
    ($name:literal: $($sql:literal)*) => { [file!($name ".toml"), $(file!($name "/" $sql ".sql")),*] };
}

/// The pipeline that is compiled in: the names of its files in messages, and their texts.
const EMBEDDED: [(&str, &str); 5] =
    embed!("northwind": "order_wide" "sales_views" "agg_sales_daily" "agg_sales_daily_members");

/// The file that is looked for in the working folder.
const IN_FOLDER: &str = "lockstep.toml";

/// No file may be larger, so that /dev/zero is an error and not a full memory.
const LARGEST: u64 = 16 << 20;

/// Where the pipeline comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `--pipeline FILE`.
    Flag(PathBuf),
    /// The variable `PIPELINE`.
    Variable(PathBuf),
    /// `lockstep.toml` in the working folder.
    Folder(PathBuf),
    /// It is compiled in.
    Embedded,
    /// A text that is to become a file: `init` asks whether it can be read.
    Text(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag(file) => write!(f, "--pipeline {}", file.display()),
            Origin::Variable(file) => write!(f, "PIPELINE={}", file.display()),
            Origin::Folder(file) => write!(f, "{}", file.display()),
            Origin::Embedded => f.write_str("the pipeline that is compiled in"),
            Origin::Text(_) => f.write_str("the new file"),
        }
    }
}

impl Origin {
    /// The folder of its file, if it has one.
    pub fn folder(&self) -> Option<PathBuf> {
        match self {
            Origin::Flag(file) | Origin::Variable(file) | Origin::Folder(file) if file.is_dir() => Some(file.clone()),
            Origin::Flag(file) | Origin::Variable(file) | Origin::Folder(file) => {
                let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
                Some(folder.unwrap_or(Path::new(".")).to_path_buf())
            }
            Origin::Embedded | Origin::Text(_) => None,
        }
    }

    /// The first there is: the flag, the variable, the file in the folder, the one that is compiled in. A file that is
    /// there but cannot be read is an error later: nobody wants another pipeline than the one they meant.
    pub fn find(flag: Option<PathBuf>, variable: Option<OsString>, folder: &Path) -> Origin {
        if let Some(file) = flag {
            return Origin::Flag(file);
        }
        if let Some(file) = variable.filter(|file| !file.is_empty()) {
            return Origin::Variable(file.into());
        }
        let file = folder.join(IN_FOLDER);
        if file.symlink_metadata().is_ok() { Origin::Folder(file) } else { Origin::Embedded }
    }
}

/// What `--pipeline` says among these arguments. The names of the jobs come from the pipeline, so it has to be known before
/// the command line can be read as a whole.
pub fn flag(arguments: &[OsString]) -> Option<PathBuf> {
    let mut arguments = arguments.iter().take_while(|argument| *argument != "--");
    while let Some(argument) = arguments.next() {
        if argument == "--pipeline" {
            return arguments.next().map(PathBuf::from);
        }
        if let Some(file) = argument.to_str().and_then(|argument| argument.strip_prefix("--pipeline=")) {
            return Some(file.into());
        }
    }
    None
}

/// The files of a pipeline.
pub(super) struct Found {
    /// All of them.
    pub texts: Texts,
    /// So many of them are TOML; behind these stands the SQL that they name.
    pub toml: usize,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// Reads the file of a pipeline, the files that it includes, and the SQL that they name.
pub(super) fn read(origin: &Origin) -> Found {
    let file = match origin {
        Origin::Embedded => {
            let embedded = |(name, text): (&str, &str)| TextFile { name: name.to_owned(), text: text.to_owned() };
            return Found { texts: Texts(EMBEDDED.map(embedded).to_vec()), toml: 1, problems: Vec::new() };
        }
        Origin::Text(text) => {
            let file = TextFile { name: IN_FOLDER.to_owned(), text: text.clone() };
            return Found { texts: Texts(vec![file]), toml: 1, problems: Vec::new() };
        }
        Origin::Flag(file) | Origin::Variable(file) | Origin::Folder(file) => in_folder(file),
    };
    let (mut texts, mut problems) = read_toml(&file);
    let toml = texts.0.len();
    for (path, at) in (0..toml).flat_map(|file| named_sql(&texts.0[file].text, file)).collect::<Vec<_>>() {
        let file = beside(&texts.0[at.file].name, &path);
        if texts.0.iter().any(|known| known.name == file.display().to_string()) {
            continue;
        }
        match read_file(&file) {
            Ok(text) => texts.0.push(text),
            Err(problem) => {
                let instead = "write the path of a file of SQL, from the folder of this file";
                problems.push(Problem::new(&texts, &at, format!("{path:?} {}", problem.what), instead));
            }
        }
    }
    Found { texts, toml, problems }
}

fn read_toml(file: &Path) -> (Texts, Vec<Problem>) {
    let mut texts = Texts::default();
    let mut problems = Vec::new();
    match read_file(file) {
        Ok(text) => texts.0.push(text),
        Err(problem) => return (texts, vec![problem]),
    }
    for (pattern, at) in includes(&texts.0[0].text) {
        match matching(file, &pattern) {
            Ok(found) => {
                for file in found {
                    match read_file(&file) {
                        // Two patterns may match one file.
                        Ok(text) if texts.0.iter().any(|known| known.name == text.name) => {}
                        Ok(text) => texts.0.push(text),
                        Err(problem) => problems.push(problem),
                    }
                }
            }
            Err((what, instead)) => problems.push(Problem::new(&texts, &at, what, instead)),
        }
    }
    (texts, problems)
}

/// Whoever names a pipeline's folder means the file in it.
fn in_folder(file: &Path) -> PathBuf {
    if file.is_dir() { file.join(IN_FOLDER) } else { file.to_owned() }
}

/// The patterns of `include`; whatever else is wrong with them is reported when the file is read as a whole.
fn includes(text: &str) -> Vec<(String, At)> {
    let (table, _) = toml::de::DeTable::parse_recoverable(text);
    let Some(include) = table.get_ref().get("include").and_then(|include| include.get_ref().as_array()) else {
        return Vec::new();
    };
    let pattern = |item: &toml::Spanned<toml::de::DeValue<'_>>| {
        Some((item.get_ref().as_str()?.to_owned(), At::new(0, item.span())))
    };
    include.iter().filter_map(pattern).collect()
}

/// The files of SQL that a file's derived tables name; whatever else is wrong there is reported when it is read as a whole.
fn named_sql(text: &str, file: usize) -> Vec<(String, At)> {
    let (table, _) = toml::de::DeTable::parse_recoverable(text);
    let Some(derived) = table.get_ref().get("derived").and_then(|derived| derived.get_ref().as_table()) else {
        return Vec::new();
    };
    let mut named = Vec::new();
    for section in derived.values().filter_map(|section| section.get_ref().as_table()) {
        for value in SQL_FILES.iter().filter_map(|key| section.get(*key)) {
            let items = value.get_ref().as_array().map_or_else(|| vec![value], |items| items.iter().collect());
            let texts = items.into_iter().filter_map(|item| Some((item.get_ref().as_str()?, item.span())));
            named.extend(texts.map(|(path, span)| (path.to_owned(), At::new(file, span))));
        }
    }
    named
}

/// The files that a pattern matches, by name: `*` in the last part stands for any letters.
fn matching(main: &Path, pattern: &str) -> std::result::Result<Vec<PathBuf>, (String, &'static str)> {
    let base = main.parent().unwrap_or(Path::new(""));
    let (folder, last) = pattern.rsplit_once('/').map_or(("", pattern), |(folder, last)| (folder, last));
    if folder.contains('*') || last.is_empty() {
        let what = format!("{pattern:?} is no pattern of files");
        return Err((what, "write a folder and a name in which * stands for any letters, as in \"tables/*.toml\""));
    }
    let folder = if pattern.starts_with('/') { Path::new("/").join(folder) } else { base.join(folder) };
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
    let entries = std::fs::read_dir(listed).map_err(|error| {
        (
            format!("the folder of {pattern:?} cannot be read: {error}"),
            "write one beside this file, as in \"tables/*.toml\"",
        )
    })?;
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name().to_str()?.to_owned()));
    let mut files: Vec<PathBuf> =
        names.filter(|name| fits(name, last) && !name.starts_with('.')).map(|name| folder.join(name)).collect();
    files.sort();
    if files.is_empty() {
        return Err((format!("{pattern:?} matches no file"), "write a file that there is, or leave it out"));
    }
    let same = |file: &PathBuf| file.canonicalize().ok().is_some_and(|file| main.canonicalize().ok() == Some(file));
    if files.iter().any(same) {
        let what = format!("{pattern:?} matches this file itself");
        return Err((what, "put the tables into a folder, as in \"tables/*.toml\""));
    }
    Ok(files)
}

/// Does a name fit a pattern in which `*` stands for any letters?
pub(crate) fn fits(name: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(found) = rest.find(part) else { return false };
        rest = &rest[found + part.len()..];
    }
    rest.ends_with(last)
}

fn read_file(file: &Path) -> std::result::Result<TextFile, Problem> {
    let name = file.display().to_string();
    let wrong = |what: String, instead: &str| Problem::of_file(&name, what, instead);
    let bytes = bytes(file)
        .map_err(|error| wrong(format!("cannot be read: {error}"), "write the path of a pipeline's file"))?;
    if bytes.len() as u64 > LARGEST {
        return Err(wrong(format!("has more than {} MiB", LARGEST >> 20), "write the path of a pipeline's file"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(TextFile { name, text }),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
            Err(wrong(format!("is not UTF-8 (line {line})"), "save it as UTF-8"))
        }
    }
}

fn bytes(file: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(file)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
