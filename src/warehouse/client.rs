//! The connection, and the one tokio runtime of the process: everything else is synchronous.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context, Result};
use clickhouse::query::Query;
use clickhouse::{Client, RowOwned, RowRead};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::Runtime;

use crate::cli::{ClickHouseArgs, Secret};
use crate::exit::try_again;
use crate::pipeline::fill;
use crate::tls::{Link, Tls};
use crate::warehouse::refusal::explain;

/// No query may take longer, unless a job says so; an insert has its own limit.
const QUERY_TIMEOUT: Duration = Duration::from_secs(120);

/// A little less than `max_query_size` is, unless somebody has changed it: the client adds a FORMAT.
const MOST_QUERY_SIZE: usize = 250 << 10;

/// ClickHouse.
pub struct Warehouse {
    pub(super) runtime: Runtime,
    pub(super) client: Client,
    /// How the link is secured.
    pub tls: Tls,
    pub(super) address: String,
    query_timeout: Duration,
    /// Database of the warehouse tables.
    pub db: String,
    /// Database of the pipeline's books.
    pub ops: String,
}

impl Warehouse {
    /// Prepares the client; the first query connects it.
    ///
    /// # Errors
    /// The password cannot be read; a file of the link's TLS is not what it should be (78).
    pub fn new(args: &ClickHouseArgs) -> Result<Warehouse> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("clickhouse")
            .enable_all()
            .build()
            .context("starting the ClickHouse client")?;
        let password = Secret::from_env("CLICKHOUSE_PASSWORD", "")?;
        let address = args.address();
        let tls = Tls::of(Link::ClickHouse)?;
        let scheme = if tls.is_on() { "https" } else { "http" };
        let client = without_nagle(&tls)?
            .with_url(format!("{scheme}://{address}"))
            .with_user(&args.clickhouse_user)
            .with_password(password.reveal())
            // An acknowledged insert is a written part, not a promise.
            .with_setting("async_insert", "0")
            .with_setting("wait_end_of_query", "1");
        Ok(Warehouse {
            runtime,
            client,
            tls,
            address,
            query_timeout: QUERY_TIMEOUT,
            db: args.clickhouse_db.clone(),
            ops: args.clickhouse_ops_db.clone(),
        })
    }

    /// For jobs whose work is done by the server: how long a statement may take.
    pub fn with_query_timeout(self, query_timeout: Duration) -> Warehouse {
        Warehouse { query_timeout, ..self }
    }

    /// Gives every statement a comment, by which it can be found on the server when its client is gone.
    pub fn with_comment(self, comment: &str) -> Warehouse {
        Warehouse { client: self.client.with_setting("log_comment", comment), ..self }
    }

    /// A text of a `.sql` file, in which `{db}` and `{ops}` stand for this warehouse's databases.
    ///
    /// # Errors
    /// It has another placeholder.
    pub fn named(&self, sql: &str) -> Result<String> {
        fill(sql, &[("db", &self.db), ("ops", &self.ops)])
    }

    /// A statement without a result.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn execute(&self, what: &str, sql: &str) -> Result<()> {
        self.wait(what, self.query(sql).execute())
    }

    /// A statement under an id by which it can be found and ended, also when nobody waits for it any more.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn execute_as(&self, id: &str, what: &str, sql: &str) -> Result<()> {
        self.wait(what, self.query(sql).with_setting("query_id", id).execute())
    }

    /// As [`Warehouse::execute_as`], with a time limit of its own.
    ///
    /// # Errors
    /// The server is gone or refuses; exit 75: no answer within `limit`.
    pub fn execute_within(&self, limit: Duration, id: &str, what: &str, sql: &str) -> Result<()> {
        self.wait_within(limit, what, self.query(sql).with_setting("query_id", id).execute())
    }

    /// All rows of a query.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn rows<R: RowOwned + RowRead>(&self, what: &str, sql: &str) -> Result<Vec<R>> {
        self.wait(what, self.query(sql).fetch_all::<R>())
    }

    /// The one row of a query that always has one.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn row<R: RowOwned + RowRead>(&self, what: &str, sql: &str) -> Result<R> {
        self.wait(what, self.query(sql).fetch_one::<R>())
    }

    /// A query's result as JSONEachRow text.
    ///
    /// # Errors
    /// The server is gone or refuses.
    pub fn json_lines(&self, what: &str, sql: &str) -> Result<String> {
        let bytes = self.wait(what, async { self.query(sql).fetch_bytes("JSONEachRow")?.collect().await })?;
        String::from_utf8(bytes.to_vec()).with_context(|| format!("{what}: the answer is not UTF-8"))
    }

    /// A statement that is longer than a server reads by default is one with a single key that is: see [`super::chunks`].
    fn query(&self, sql: &str) -> Query {
        let query = self.client.query_raw(sql);
        if sql.len() < MOST_QUERY_SIZE {
            query
        } else {
            query.with_setting("max_query_size", (2 * sql.len()).to_string())
        }
    }

    pub(super) fn wait<T>(&self, what: &str, answer: impl Future<Output = clickhouse::error::Result<T>>) -> Result<T> {
        self.wait_within(self.query_timeout, what, answer)
    }

    fn wait_within<T>(
        &self,
        limit: Duration,
        what: &str,
        answer: impl Future<Output = clickhouse::error::Result<T>>,
    ) -> Result<T> {
        self.runtime
            .block_on(async { tokio::time::timeout(limit, answer).await })
            .map_err(|_| try_again(format!("no answer in {} s", limit.as_secs())))
            .and_then(|answer| answer.map_err(|error| self.tls.explain(&error).unwrap_or_else(|| explain(error))))
            .inspect(|_| self.tls.works())
            .with_context(|| format!("{what} in ClickHouse at {}", self.address))
    }
}

/// The crate's own client, but without Nagle's algorithm: an insert is sent in pieces, and the last small one would wait
/// 40 ms for the acknowledgement of the one before it. Connections are kept for less than the server's 3 s.
fn without_nagle(tls: &Tls) -> Result<Client> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_keepalive(Some(Duration::from_secs(60)));
    connector.set_connect_timeout(Some(Duration::from_secs(5)));
    let mut builder = hyper_util::client::legacy::Client::builder(TokioExecutor::new());
    builder.pool_idle_timeout(Duration::from_secs(2));
    // OpenSSL reads the system's root certificates when it is set up: three megabytes that clear text has no use for.
    Ok(match tls.is_on() {
        true => Client::with_http_client(builder.build(tls.over(connector)?)),
        false => Client::with_http_client(builder.build(connector)),
    })
}
