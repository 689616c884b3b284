//! A pipeline of a test's own tables: the real executable runs it by the file.

use super::World;

/// A table: its name, its key, its columns as the file has them.
pub struct OwnTable<'t> {
    pub name: &'t str,
    pub key: &'t [&'t str],
    pub columns: Vec<(String, String)>,
}

impl World {
    /// Writes a pipeline of these tables, captured by this connector, and makes their tables in the warehouse. `modes` are what the connector
    /// section says of values, beside the rest.
    pub fn use_pipeline(&mut self, tables: &[OwnTable<'_>], modes: &str) {
        let (name, dw, ops) = (&self.name, &self.dw, &self.ops);
        let mut file = format!(
            "[pipeline]\nname = \"own\"\ntopic_prefix = \"{name}\"\n[connector]\nname = \"{name}\"\ndatabase = \"{name}\"\nrole = \"debezium\"
slot = \"{name}\"\npublication = \"northwind_publication\"\nheartbeat = {{ schema = \"northwind_cdc\", table = \"heartbeat\" }}
signal = {{ schema = \"northwind_cdc\", table = \"signal\" }}\n{modes}\n[warehouse]\ndatabase = \"{dw}\"\nops = \"{ops}\"\n"
        );
        for table in tables {
            let OwnTable { name, key, columns } = table;
            file += &format!(
                "[tables.{name}]\nsource = {{ schema = \"public\", table = \"{name}\" }}\ntarget = \"own_{name}\"\nkey = {key:?}\n"
            );
            for (column, declared) in columns {
                file += &format!("columns.{column} = {declared}\n");
            }
        }
        let path = std::env::temp_dir().join(format!("{name}.toml"));
        std::fs::write(&path, file).unwrap();
        self.environment.push(("PIPELINE".to_owned(), path.to_string_lossy().into_owned()));
        self.run("migrate", &[]).expect_exit(0);
    }
}
