//! The tables of the books, as SQL texts in which `{db}` and `{ops}` stand for the databases. Each has the name that it has in `clickhouse/init`.

type File = (&'static str, &'static str);

/// The two databases.
pub const DATABASES: File = ("00_databases.sql", include_str!("schema/databases.sql"));
/// Where the books say what they are.
pub const VERSIONS: File = ("00_versions.sql", include_str!("schema/versions.sql"));
/// The tables of the books.
pub const OPS_DDL: [File; 4] = [
    VERSIONS,
    ("01_ops.sql", include_str!("schema/ops.sql")),
    ("02_checks.sql", include_str!("schema/checks.sql")),
    ("03_observations.sql", include_str!("schema/observations.sql")),
];
