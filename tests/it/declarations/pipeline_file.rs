//! The pipeline's file on the real executable: where it is looked for, and what is said of mistakes.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use lockstep::pipeline::Origin;
use lockstep::tables::Pipeline;
use proptest::prelude::*;

use crate::support::{Outcome, outcome, root};

/// A till: what a small shop has.
pub const TILL: &str = r#"[pipeline]
name = "till"
topic_prefix = "till"

[connector]
name = "till-connector"
database = "till"
role = "debezium"
slot = "till_slot"
publication = "till_publication"
heartbeat = { schema = "till_cdc", table = "heartbeat" }
signal = { schema = "till_cdc", table = "signal" }
decimal_handling = "string"
time_precision = "adaptive"
binary_handling = "bytes"

[warehouse]
database = "till_dw"
ops = "till_ops"

[limits]
most = { type = "numeric(10,2)", value = "1000", min = "0" }

[tables.shops]
source = { schema = "Front Desk", table = "Shops" }
target = "shops"
key = ["id"]
columns.id   = "bigint not null"
columns.name = "text not null"

[tables.receipts]
source = { schema = "Front Desk", table = "receipts" }
target = "all_receipts"
key = ["id"]
columns.id      = "uuid not null"
columns.shop    = "bigint null"
columns.amount  = "numeric(10,2) not null"
columns.paid_at = "timestamp with time zone null"
references.shop_row = { columns = ["shop"], table = "shops", why = "a receipt of no shop", example = { shop = 99 } }
[[tables.receipts.rules]]
name = "amount-not-too-high"
expect = "amount <= :most"
severity = "reject"
why = "nobody pays so much at a till"
example = { amount = 5000 }
"#;

/// A call of the executable in a folder, without any pipeline in its environment.
pub fn lockstep(folder: &Path, args: &[&OsStr]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in ["PIPELINE", "RUST_LOG", "POSTGRES_DB"] {
        command.env_remove(name);
    }
    command
}

pub fn run(command: &mut Command) -> Outcome {
    outcome(command.spawn().unwrap())
}

/// Runs a job with a file as its pipeline.
fn with_file(file: &Path, job: &str) -> Outcome {
    run(&mut lockstep(Path::new("/"), &["--pipeline".as_ref(), file.as_ref(), job.as_ref()]))
}

#[test]
fn the_flag_the_variable_and_the_folder_are_asked_in_this_order_and_the_log_begins_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let began = |command: &mut Command| {
        let outcome = run(command);
        let log = outcome.log.lines().next().unwrap_or_default().to_owned();
        log.split_once(" INFO ").unwrap_or_else(|| panic!("{outcome:?}")).1.to_owned()
    };
    let generate: [&OsStr; 2] = ["generate".as_ref(), "--check".as_ref()];
    assert_eq!(began(&mut lockstep(folder, &generate)), "pipeline northwind: the pipeline that is compiled in");
    for name in ["lockstep", "variable", "flag"] {
        let text = TILL.replacen("name = \"till\"", &format!("name = \"{name}\""), 1);
        std::fs::write(folder.join(format!("{name}.toml")), text).unwrap();
    }
    assert_eq!(began(&mut lockstep(folder, &generate)), "pipeline lockstep: lockstep.toml");
    let mut variable = lockstep(folder, &generate);
    assert_eq!(began(variable.env("PIPELINE", "variable.toml")), "pipeline variable: PIPELINE=variable.toml");
    for flag in [&["--pipeline", "flag.toml"][..], &["--pipeline=flag.toml"]] {
        let flag: Vec<&OsStr> = flag.iter().map(AsRef::as_ref).collect();
        for args in [[&flag[..], &generate].concat(), [&generate, &flag[..]].concat()] {
            let mut flagged = lockstep(folder, &args);
            assert_eq!(began(flagged.env("PIPELINE", "variable.toml")), "pipeline flag: --pipeline flag.toml");
        }
    }
}

/// The place of a text in the pipeline's file, as `line:column`.
fn place(text: &str, of: &str) -> String {
    let before = text.split_once(of).unwrap_or_else(|| panic!("no {of}")).0;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{}:{column}", before.matches('\n').count() + 1)
}

/// What is changed, the text at whose place the problem is told, and what is said of it.
#[test]
fn what_is_wrong_with_a_file_is_told_with_its_place_and_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("till.toml");
    for (from, to, at, said) in [
        ("target = \"shops\"", "traget = \"shops\"", "traget", "has no key \"traget\"; write target"),
        ("slot = ", "slots = ", "slots = ", "[connector] has no key \"slots\"; write slot"),
        ("expect = \"amount", "expect = \"amuont", "amuont", "amuont"),
        ("table = \"shops\", why", "table = \"shop\", why", "\"shop\", why", "which is no table here; write shops"),
        ("target = \"shops\"\nkey = [\"id\"]", "target = \"shops\"\nkey = [\"no\"]", "\"no\"", "the key"),
        ("target = \"all_receipts\"", "target = \"shops\" ", "\"shops\" ", "shops"),
        (
            "\"text not null\"",
            "\"varchar(5) not null\"",
            "\"varchar",
            "catalogue does, \"character varying(5) not null\"",
        ),
        ("\"uuid not null\"", "\"uuid( not null\"", "\"uuid(", "\"uuid(\" is no type"),
        ("\"numeric(10,2) not null\"", "\"not null\"", "\"not null\"", "\"not\" is no type"),
        ("\"text not null\"", "{ type = \"text not null\", as = \"Text\" }", "\"Text\"", "cannot be kept as Text"),
        ("amount <= :most", "amount <= now()", "now()", "beyond the subset"),
        ("amount <= :most", "amount <= :more", ":more", "more"),
    ] {
        let text = TILL.replacen(from, to, 1);
        std::fs::write(&file, &text).unwrap();
        let outcome = with_file(&file, "jobs").expect_exit(78);
        let wanted = format!("{}:{}: ", file.display(), place(&text, at));
        let line = outcome.log.lines().find(|line| line.starts_with(&wanted));
        let line = line.unwrap_or_else(|| panic!("{to}: no {wanted} in\n{}", outcome.log));
        assert!(line.contains(said), "{to}: {said:?} is not in {line}");
        assert!(outcome.error().contains(line), "the summary says it too: {}", outcome.stdout);
    }
}

#[test]
fn a_file_that_is_no_pipeline_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let latin = folder.path().join("latin.toml");
    std::fs::write(&latin, b"[pipeline]\nname = \"caf\xe9\"\n").unwrap();
    for (file, said) in [
        (Path::new("/dev/zero"), "/dev/zero: has more than 16 MiB; write the path of a pipeline's file"),
        (folder.path(), "lockstep.toml: cannot be read: No such file or directory"),
        (&latin, "is not UTF-8 (line 2); save it as UTF-8"),
        (&folder.path().join("nowhere.toml"), "cannot be read: No such file or directory"),
    ] {
        let outcome = with_file(file, "ingest-shops").expect_exit(78);
        assert!(outcome.log.contains(said) && outcome.error().contains(said), "{said}: {outcome:?}");
        assert_eq!(outcome.stdout.lines().count(), 1, "{}", outcome.stdout);
    }
}

#[test]
fn help_version_and_completions_need_no_pipeline() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lockstep.toml"), "[pipeline\n").unwrap();
    let call = |line: &str| {
        let args: Vec<&OsStr> = line.split(' ').map(AsRef::as_ref).collect();
        run(&mut lockstep(folder.path(), &args))
    };
    for (line, said) in [
        ("--help", "ingest-customers"),
        ("--version", env!("CARGO_PKG_VERSION")),
        ("migrate --help", "Create or update the tables in ClickHouse"),
        ("completions bash", "complete -F _lockstep"),
    ] {
        let outcome = call(line).expect_exit(0);
        assert!(outcome.stdout.contains(said), "{line}: {}", outcome.stdout);
        let warned = ["lockstep.toml:1:", "so this is about the pipeline that is compiled in"];
        assert!(warned.iter().all(|words| outcome.log.contains(words)), "{line}: {}", outcome.log);
    }
    for line in ["jobs", "migrate", "nothing"] {
        assert!(call(line).expect_exit(78).error().contains("lockstep.toml:1:"), "{line}");
    }
}

static NORTHWIND: LazyLock<String> =
    LazyLock::new(|| std::fs::read_to_string(root().join("pipelines/northwind.toml")).unwrap());

const PIECES: [&str; 15] =
    ["\"", "[", "]", "{ ", " }", "= ", "\n", "null", "[tables.x]\n", ":discount", "(", "é", "'''", "9", ", "];

/// Northwind's file with some of its pieces, and of TOML's, in other places.
fn mutated() -> impl Strategy<Value = String> {
    let index = any::<prop::sample::Index>;
    let change = (index(), 0usize..30, prop::option::of(prop::sample::select(&PIECES[..])), index(), 0usize..80);
    prop::collection::vec(change, 1..5).prop_map(|changes| {
        let mut letters: Vec<char> = NORTHWIND.chars().collect();
        for (at, cut, piece, from, copied) in changes {
            let new: Vec<char> = match piece {
                Some(piece) => piece.chars().collect(),
                None => letters.iter().copied().skip(from.index(letters.len())).take(copied).collect(),
            };
            let start = at.index(letters.len());
            letters.splice(start..letters.len().min(start + cut), new);
        }
        letters.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_stands_in_it_there_is_an_answer(text in mutated()) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mutated.toml");
        std::fs::write(&file, &text).unwrap();
        std::os::unix::fs::symlink(root().join("pipelines/northwind"), folder.path().join("northwind")).unwrap();
        if let Err(problems) = Pipeline::read(Origin::Flag(file)) {
            prop_assert!(!problems.0.is_empty());
        }
    }
}
