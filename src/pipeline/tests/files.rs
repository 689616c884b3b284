//! Pipelines on disk: several files, files that cannot be read.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use crate::pipeline::tests::SHOP;
use crate::pipeline::{Origin, PipelineSpec, Problems, flag};

/// The small pipeline in two files.
fn in_two_files() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (main, table) = SHOP.split_once("[tables.baskets]").unwrap();
    fs::create_dir(folder.path().join("tables")).unwrap();
    fs::write(folder.path().join("tables/baskets.toml"), format!("[tables.baskets]{table}")).unwrap();
    fs::write(folder.path().join("tables/notes.txt"), "not TOML").unwrap();
    let file = folder.path().join("shop.toml");
    fs::write(&file, format!("include = [\"tables/*.toml\", \"tables/b*\"]\n{main}")).unwrap();
    (folder, file)
}

fn read(file: &std::path::Path) -> Result<PipelineSpec, Problems> {
    PipelineSpec::read(&Origin::Flag(file.to_owned()))
}

fn problems(file: &std::path::Path) -> String {
    read(file).unwrap_err().to_string()
}

#[test]
fn tables_may_be_in_files_of_their_own() {
    let (_folder, file) = in_two_files();
    let shop = read(&file).unwrap();
    assert_eq!(shop.tables.len(), 2);
    assert!(shop.texts.place(&shop.tables[0].name.at).0.ends_with("tables/baskets.toml"));
}

#[test]
fn a_problem_names_the_included_file() {
    let (folder, file) = in_two_files();
    let baskets = folder.path().join("tables/baskets.toml");
    fs::write(&baskets, fs::read_to_string(&baskets).unwrap().replace("key = [\"id\"]", "key = [\"ids\"]")).unwrap();
    let wanted =
        format!("{}:4:8: the key names \"ids\", which is no column of this table; write id", baskets.display());
    assert_eq!(problems(&file), wanted);
}

#[test]
fn only_the_file_itself_says_what_there_is_once() {
    let (folder, file) = in_two_files();
    fs::write(folder.path().join("tables/c.toml"), "[warehouse]\nops = \"x\"\n[tables.lines]\n").unwrap();
    let found = problems(&file);
    assert!(found.contains("c.toml:1:2: this file has no key \"warehouse\"; write one of derived, tables"), "{found}");
    assert!(found.contains("c.toml:3:9: another file has a table lines too; give it another name"), "{found}");
}

#[test]
fn an_include_that_leads_nowhere_is_reported() {
    let (folder, file) = in_two_files();
    let text = fs::read_to_string(&file).unwrap();
    let with = |include: &str| {
        fs::write(&file, text.replace("\"tables/b*\"", include)).unwrap();
        problems(&file)
    };
    assert!(
        with("\"tables/x*.toml\"").ends_with(
            "shop.toml:1:29: \"tables/x*.toml\" matches no file; write a file that there is, or leave it out"
        )
    );
    assert!(with("\"none/*.toml\"").contains("shop.toml:1:29: the folder of \"none/*.toml\" cannot be read"));
    assert!(with("\"*.toml\"").contains("matches this file itself; put the tables into a folder"));
    assert!(with("\"**/x.toml\"").contains("is no pattern of files"));
    assert!(with("5").contains("shop.toml:1:29: include has a whole number in its list"));
    fs::write(folder.path().join("tables/b.toml"), b"a = \"\xff\"").unwrap();
    assert!(with("\"tables/b.toml\"").contains("b.toml: is not UTF-8 (line 1); save it as UTF-8"));
}

#[test]
fn a_file_that_cannot_be_read_is_reported_and_never_replaced_by_another() {
    let folder = tempfile::tempdir().unwrap();
    assert!(problems(&folder.path().join("none.toml")).contains("none.toml: cannot be read: No such file"));
    let of_folder = problems(folder.path());
    assert!(of_folder.contains("lockstep.toml: cannot be read: No such file"), "{of_folder}");
    assert!(problems("/dev/zero".as_ref()).contains("/dev/zero: has more than 16 MiB"));
    let error = PipelineSpec::load(&Origin::Variable("none.toml".into())).unwrap_err().to_string();
    assert!(error.starts_with("none.toml: cannot be read"), "{error}");
}

#[test]
fn the_flag_is_found_before_the_command_line_is_read() {
    let found = |line: &str| flag(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
    assert_eq!(found("lockstep --pipeline a.toml ingest-orders"), Some("a.toml".into()));
    assert_eq!(found("ingest-orders --max-records 5 --pipeline=a=b.toml"), Some("a=b.toml".into()));
    assert_eq!(found("ingest-orders --pipelines a.toml"), None);
    assert_eq!(found("ingest-orders -- --pipeline a.toml"), None);
    assert_eq!(found("ingest-orders --pipeline"), None);
}
