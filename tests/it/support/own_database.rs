//! A database that is not Northwind: loaded from a file, made a pipeline of by `init`, captured and ingested by what that wrote. Nobody edits a file.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::connector::rest;
use super::standby::newest_postgres;
use super::{Outcome, World, connect_postgres, env, root, wait_for};

/// The database, the pipeline's folder, the connector.
pub struct OwnDatabase {
    world: World,
    folder: TempDir,
}

impl Deref for OwnDatabase {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl OwnDatabase {
    /// A database that is loaded from files below `tests/fixtures`. Nothing is captured yet.
    pub fn load(test: &str, files: &[&str]) -> OwnDatabase {
        let world = World::named(test);
        let mut admin = connect_postgres("postgres");
        admin.batch_execute(&format!("CREATE DATABASE {} TEMPLATE template0", world.pg_db)).unwrap();
        let own = OwnDatabase { world, folder: tempfile::tempdir().unwrap() };
        for file in files {
            own.psql(&root().join("tests/fixtures").join(file), &[]);
        }
        own
    }

    /// Makes a pipeline of it, applies what was written, captures it.
    pub fn captured(mut self, args: &[&str]) -> OwnDatabase {
        self.init(args).expect_exit(0);
        self.apply();
        self.capture();
        self.environment("POSTGRES_USER", &format!("{}_jobs", self.name));
        self.environment("POSTGRES_PASSWORD", "of the jobs");
        self.job("migrate", &[]).expect_exit(0);
        self
    }

    fn environment(&mut self, name: &str, value: &str) {
        self.world.environment.push((name.to_owned(), value.to_owned()));
    }

    /// The pipeline's folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    pub fn init(&self, args: &[&str]) -> Outcome {
        let [host, port] = [("POSTGRES_HOST", "127.0.0.1"), ("POSTGRES_PORT", "5432")].map(|(name, or)| env(name, or));
        let from = format!("postgres://app_user:app_password@{host}:{port}/{}", self.pg_db);
        let folder = self.folder.path().to_string_lossy().into_owned();
        self.job("init", &[&["--from", &from, &folder], args].concat())
    }

    /// Runs `source.sql`.
    pub fn apply(&self) {
        self.psql(&self.file("source.sql"), &["connector_password=of the connector", "jobs_password=of the jobs"]);
    }

    /// Registers or updates the connector, with its password, and waits for its snapshot.
    pub fn capture(&self) {
        let mut file: Value = serde_json::from_str(&self.text("connector.json")).unwrap();
        file["config"]["database.password"] = json!("of the connector");
        let (status, answer) = rest("PUT", &format!("/connectors/{}/config", self.connector()), Some(&file["config"]));
        assert!(status < 300, "{status} {answer}");
        self.wait_for_snapshot(&self.connector());
    }

    pub fn connector(&self) -> String {
        format!("{}-cdc-connector", self.name)
    }

    pub fn slot(&self) -> String {
        format!("{}_slot", self.name)
    }

    /// Runs a job of the pipeline; `lockstep.toml` is found by its folder.
    pub fn job(&self, job: &str, args: &[&str]) -> Outcome {
        super::outcome(self.job_command(job, args).spawn().unwrap())
    }

    /// The command of a job.
    pub fn job_command(&self, job: &str, args: &[&str]) -> Command {
        let mut command = self.bare_command(job, args);
        for name in ["POSTGRES_DB", "CLICKHOUSE_DB", "CLICKHOUSE_OPS_DB"] {
            command.env_remove(name);
        }
        command.current_dir(self.folder.path());
        command
    }

    /// The names of the ingest jobs.
    pub fn ingest_jobs(&self) -> Vec<String> {
        let list = self.job_command("jobs", &["--names", "ingest"]).output().unwrap();
        String::from_utf8(list.stdout).unwrap().lines().map(str::to_owned).collect()
    }

    /// Waits until everything is in the topics, and ingests every table; says how many rows were written and rejected.
    pub fn ingest_all(&self) -> (i64, i64) {
        self.wait_for_capture(&self.slot());
        let mut counts = (0, 0);
        for job in self.ingest_jobs() {
            // A run that finds the plan of a killed one ends with that plan.
            loop {
                let outcome = self.job(&job, &["--verify"]).expect_exit(0);
                counts.0 += outcome.count("written");
                counts.1 += outcome.count("rejected");
                if outcome.count("windows") == 0 {
                    break;
                }
            }
        }
        counts
    }

    /// Every check says that both sides are the same.
    #[track_caller]
    pub fn assert_right(&self) -> Outcome {
        self.job("check-all", &["--wait", "30s"]).expect_exit(0)
    }
}

impl World {
    /// Runs a file in psql, with these variables.
    pub fn psql(&self, file: &Path, variables: &[&str]) {
        let mut command = Command::new(newest_postgres().join("psql"));
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", &self.pg_db, "-U", "app_user", "-f"]).arg(file);
        command.args(["-h", &env("POSTGRES_HOST", "127.0.0.1"), "-p", &env("POSTGRES_PORT", "5432")]);
        command.args(variables.iter().flat_map(|variable| ["-v", variable])).env("PGPASSWORD", "app_password");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.delete_connector_and_slot(&self.connector(), &self.slot());
        let mut admin = connect_postgres("postgres");
        wait_for("the database to go", || {
            admin.batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.pg_db)).is_ok()
        });
        for role in ["cdc", "jobs"] {
            let _ = admin.batch_execute(&format!("DROP ROLE IF EXISTS {}_{role}", self.name));
        }
    }
}
