//! A read replica of the stack's PostgreSQL: a real standby, made with pg_basebackup, that a test may hold back.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use postgres::{Client, NoTls};

use super::private_stack::free_port;
use super::{connect_postgres, env, root, wait_for};

/// The standby. It is stopped and deleted when the test ends.
pub struct Standby {
    folder: PathBuf,
    pub port: u16,
    server: Child,
}

impl Standby {
    /// Copies the primary and follows it.
    pub fn start() -> Standby {
        let port = free_port();
        let folder = root().join(format!("target/private-stacks/standby-{}-{port}", std::process::id()));
        let owner: &[&str] = if is_root() { &["-o", "postgres"] } else { &[] };
        run(Command::new("install").args(["-d", "-m", "700"]).args(owner).arg(&folder));
        let bin = newest_postgres();
        let primary = format!(
            "host={} port={} user=app_user password=app_password",
            env("POSTGRES_HOST", "127.0.0.1"),
            env("POSTGRES_PORT", "5432")
        );
        let mut backup = as_postgres(&bin.join("pg_basebackup"));
        backup.args(["--checkpoint=fast", "--wal-method=stream", "--no-sync", "--write-recovery-conf", "--pgdata"]);
        run(backup.arg(&folder).args(["--dbname", &primary]));
        let mut server = as_postgres(&bin.join("postgres"));
        let server = server.arg("-D").arg(&folder).args(["-p", &port.to_string(), "-c", "hot_standby=on"]);
        let server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starting the standby");
        let standby = Standby { folder, port, server };
        wait_for("the standby to answer", || standby.connect("postgres").is_ok());
        standby
    }

    pub fn connect(&self, database: &str) -> Result<Client, postgres::Error> {
        let mut config = postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user("app_user").password("app_password");
        config.dbname(database).connect(NoTls)
    }

    /// Stops replaying what the primary writes.
    pub fn hold_back(&self) {
        self.connect("postgres")
            .and_then(|mut client| client.batch_execute("SELECT pg_wal_replay_pause()"))
            .expect("holding back");
        let mut client = self.connect("postgres").expect("the standby");
        wait_for("the standby to hold back", || {
            client.query_one("SELECT pg_get_wal_replay_pause_state()", &[]).expect("its state").get::<_, &str>(0)
                == "paused"
        });
    }

    /// Goes on replaying.
    pub fn let_go(&self) {
        self.connect("postgres")
            .and_then(|mut client| client.batch_execute("SELECT pg_wal_replay_resume()"))
            .expect("letting go");
    }

    /// Waits until it has what the primary has now.
    pub fn catch_up(&self) {
        let mut primary = connect_postgres("postgres");
        let written: String =
            primary.query_one("SELECT pg_current_wal_insert_lsn()::text", &[]).expect("the LSN").get(0);
        let mut client = self.connect("postgres").expect("the standby");
        let sql = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'::pg_lsn");
        wait_for("the standby to catch up", || client.query_one(&sql, &[]).expect("its LSN").get::<_, bool>(0));
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        // SIGQUIT: at once, and the processes that it started go with it.
        let _ = Command::new("kill").args(["-QUIT", &self.server.id().to_string()]).status();
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0).unwrap_or(false)
}

/// PostgreSQL refuses to run as root, as pgbouncer does.
pub fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
    command
}

/// The folder of PostgreSQL's programs.
pub fn newest_postgres() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed: make up").flatten();
    let newest = versions.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    let version =
        newest.min_by_key(|version| (*version != 15, u32::MAX - version)).expect("PostgreSQL is installed: make up");
    PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"))
}

fn run(command: &mut Command) {
    let output = command.output().expect("starting a program");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
