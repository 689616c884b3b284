//! `make demo SOURCE_SQL=dump.sql`: the local stack with anybody's database in Northwind's place.

use std::path::PathBuf;
use std::process::{Command, Output};

use crate::support::private_stack::free_port;
use crate::support::root;

/// A whole stack on ports of its own, which is wiped when the test ends.
struct Stack {
    state: PathBuf,
    ports: Vec<(&'static str, String)>,
}

impl Stack {
    fn new() -> Stack {
        let names = [
            "POSTGRES_PORT",
            "KAFKA_PORT",
            "KAFKA_CONTROLLER_PORT",
            "CONNECT_PORT",
            "CLICKHOUSE_HTTP_PORT",
            "CLICKHOUSE_TCP_PORT",
        ];
        let ports = names.map(|name| (name, free_port().to_string())).into();
        Stack { state: root().join(format!("target/private-stacks/own-{}", std::process::id())), ports }
    }

    fn run(&self, script: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new(root().join("local-stack").join(script));
        command.args(arguments).env("STACK_STATE", &self.state).env("LOCKSTEP_BIN", env!("CARGO_BIN_EXE_lockstep"));
        for variable in ["POSTGRES_DB", "PIPELINE"] {
            command.env_remove(variable);
        }
        command.envs(self.ports.iter().map(|(name, port)| (name, port))).envs(environment.iter().copied());
        command.output().unwrap()
    }

    fn up(&self, sql: &str) -> Output {
        self.run("stack", &["up"], &[("SOURCE_SQL", sql)])
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.run("stack", &["wipe"], &[]);
        let _ = std::fs::remove_dir_all(&self.state);
    }
}

fn words(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_local_stack_takes_anybodys_dump() {
    let stack = Stack::new();
    let wrong = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(wrong.path(), "CREATE DATABASE shop;\n\\connect shop\n").unwrap();
    let refused = stack.up(wrong.path().to_str().unwrap());
    assert!(!refused.status.success() && words(&refused).contains("without --create"), "{}", words(&refused));

    // As pg_dump writes it: tables belong to a role that only the other server has.
    let dump = tempfile::NamedTempFile::with_suffix(".sql").unwrap();
    let text = std::fs::read_to_string(root().join("tests/fixtures/workshop.sql")).unwrap();
    std::fs::write(dump.path(), format!("{text}\nALTER TABLE app.home OWNER TO \"Odd Owner\";\n")).unwrap();
    let started = stack.up(dump.path().to_str().unwrap());
    assert!(started.status.success(), "{}", words(&started));
    let demo = stack.run("demo", &[], &[]);
    let said = words(&demo);
    assert!(demo.status.success() && said.contains("\"result\":\"pass\"") && said.contains("line_item"), "{said}");

    // What is there is not replaced behind anybody's back.
    let other = stack.up(root().join("postgres/init/01_northwind.sql").to_str().unwrap());
    assert!(!other.status.success() && words(&other).contains("data is already loaded"), "{}", words(&other));
}
