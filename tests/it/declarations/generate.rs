//! A table is added in one place, the pipeline's file; `lockstep generate` writes the rest.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Outcome, outcome, root};

const PIPELINE: &str = "pipelines/northwind.toml";

const THINGS: &str = r#"
# Added by a test.
[tables.things]
source = { schema = "public", table = "things" }
target = "dim_things"
partitions = 3
key = ["thing_id"]
columns.thing_id   = "integer not null"
columns.product_id = "smallint null"
columns.name       = "text not null"
references.product = { columns = ["product_id"], table = "products", why = "a thing of nothing", example = { product_id = 999 } }
"#;

/// The pipeline, and everything but the DDL that has something which follows from it.
const COPIED: [&str; 5] = [
    PIPELINE,
    "connectors/debezium-northwind.json",
    "postgres/init/02_replication_user.sql",
    "airflow/dags/jobs.json",
    "docker-compose.yml",
];

/// A copy of the project's files.
struct Tree(TempDir);

impl Tree {
    fn new() -> Tree {
        let tree = Tree(tempfile::tempdir().unwrap());
        let schema = fs::read_dir(root().join("clickhouse/init")).unwrap();
        let schema = schema.map(|entry| format!("clickhouse/init/{}", entry.unwrap().file_name().to_str().unwrap()));
        let sql = fs::read_dir(root().join("pipelines/northwind")).unwrap();
        let sql = sql.map(|entry| format!("pipelines/northwind/{}", entry.unwrap().file_name().to_str().unwrap()));
        for file in COPIED.map(str::to_owned).into_iter().chain(schema).chain(sql) {
            fs::create_dir_all(tree.path(&file).parent().unwrap()).unwrap();
            fs::copy(root().join(&file), tree.path(&file)).unwrap();
        }
        tree
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    fn lockstep(&self, args: &[&str]) -> Outcome {
        lockstep(self.0.path(), args)
    }

    /// What a tool prints.
    fn lockstep_output(&self, args: &[&str]) -> String {
        String::from_utf8(command(self.0.path(), args).output().unwrap().stdout).unwrap()
    }

    /// Every file with its text.
    fn files(&self) -> Vec<(PathBuf, String)> {
        let mut found = Vec::new();
        let mut folders = vec![self.0.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path)
                } else {
                    found.push((path.clone(), fs::read_to_string(path).unwrap()))
                }
            }
        }
        found.sort();
        found
    }
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command.args(["--pipeline", PIPELINE]).args(args).current_dir(folder).env_remove("RUST_LOG");
    command
}

fn lockstep(folder: &Path, args: &[&str]) -> Outcome {
    outcome(command(folder, args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[test]
fn the_projects_own_files_say_what_its_pipeline_says() {
    let outcome = lockstep(&root(), &["generate", "--check"]);
    assert_eq!(outcome.exit, 0, "{}\nrun `make generate`, and commit what it writes", outcome.error());
}

#[test]
fn a_table_is_added_by_one_section_and_one_command() {
    let tree = Tree::new();
    let before = tree.files();
    let pipeline = tree.text(PIPELINE);
    fs::write(tree.path(PIPELINE), pipeline.clone() + THINGS).unwrap();

    let differing = tree.lockstep(&["generate", "--check"]).expect_exit(10);
    let ddl = "clickhouse/init/10_dim_things.sql";
    for file in COPIED[1..].iter().chain([&ddl]) {
        assert!(differing.error().contains(file), "{file}: {}", differing.error());
    }
    assert!(differing.error().ends_with("run `lockstep generate`"), "{}", differing.error());
    assert!(!tree.path(ddl).exists(), "--check writes nothing");

    let written = tree.lockstep(&["generate"]).expect_exit(0);
    assert_eq!(written.summary["differing"], differing.summary["differing"]);
    tree.lockstep(&["generate", "--check"]).expect_exit(0);

    let connector: Value = serde_json::from_str(&tree.text("connectors/debezium-northwind.json")).unwrap();
    let config = |key: &str| connector["config"][key].as_str().unwrap();
    assert!(config("table.include.list").contains(",public.territories,public.things,public.us_states,"));
    assert_eq!(config("topic.creation.partitions_3.include"), "northwind\\.public\\.things");
    assert_eq!(tree.text("postgres/init/02_replication_user.sql").matches("public.things,").count(), 2);
    assert!(tree.text(ddl).contains("CREATE TABLE IF NOT EXISTS northwind_dw.dim_things\n"));
    let list: Value = serde_json::from_str(&tree.text("airflow/dags/jobs.json")).unwrap();
    let job = list["jobs"].as_array().unwrap().iter().find(|job| job["name"] == "ingest-things").unwrap();
    assert_eq!((&job["partitions"], &job["references"]["product-exists"]), (&3.into(), &"products".into()));
    let service = "\n  ingest-things: { <<: *on-demand, entrypoint: [lockstep, ingest-things] }\n";
    assert!(tree.text("docker-compose.yml").contains(service));
    let names = tree.lockstep_output(&["jobs", "--names", "ingest"]);
    assert!(names.find("ingest-things\n").unwrap() > names.find("ingest-products\n").unwrap(), "{names}");
    let help = tree.lockstep(&["ingest-things", "--help"]).expect_exit(0);
    assert!(help.stdout.contains("Bring new changes of things from Kafka into dim_things"), "{}", help.stdout);

    // And goes as it came.
    fs::write(tree.path(PIPELINE), pipeline).unwrap();
    tree.lockstep(&["generate"]).expect_exit(0);
    let after = tree.files();
    let left: Vec<&PathBuf> = after.iter().filter(|file| !before.contains(file)).map(|(path, _)| path).collect();
    assert!(left.is_empty() && after.len() == before.len(), "{left:?}");
}

#[test]
fn a_folder_without_a_project_is_for_a_person() {
    let folder = tempfile::tempdir().unwrap();
    let outcome = lockstep(&root(), &["generate", folder.path().to_str().unwrap()]).expect_exit(78);
    assert!(outcome.error().contains("has none of the files"), "{}", outcome.error());
}
