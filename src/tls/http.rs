//! Short questions over HTTP or HTTPS, one at a time: Kafka Connect's REST interface, ClickHouse's `/ping`.

use std::error::Error as _;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::{Method, Request, Uri};
use hyper_openssl::client::legacy::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::runtime::Runtime;

use super::Tls;
use crate::cli::Secret;

/// A client.
pub struct Http {
    runtime: Runtime,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
    /// How the link is secured.
    pub tls: Tls,
    timeout: Duration,
    authorization: Option<String>,
}

/// Why there is no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// It is no address.
    Address(String),
    /// Server and client do not agree on TLS, or may not: what to set.
    Tls(anyhow::Error),
    /// Whoever answers does not speak HTTP.
    Protocol(String),
    /// Nobody does, or not in time.
    Unreachable(String),
}

impl Http {
    /// Prepares the client.
    ///
    /// # Errors
    /// A file of the link's TLS is not what it should be (78).
    pub fn new(tls: Tls, timeout: Duration) -> Result<Http> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("starting the HTTP client")?;
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(timeout));
        let client = Client::builder(TokioExecutor::new()).build(tls.over(connector)?);
        Ok(Http { runtime, client, tls, timeout, authorization: None })
    }

    /// With a login (basic authentication).
    pub fn with_login(self, user: &str, password: &Secret) -> Http {
        let login = STANDARD.encode(format!("{user}:{}", password.reveal()));
        Http { authorization: Some(format!("Basic {login}")), ..self }
    }

    /// Asks: status and body.
    ///
    /// # Errors
    /// There is no answer.
    pub fn ask(&self, method: &str, url: &str) -> Result<(u16, Vec<u8>), NoAnswer> {
        let address = |why: String| NoAnswer::Address(why);
        let uri: Uri = url.parse().map_err(|error| address(format!("{error}")))?;
        match uri.scheme_str() {
            Some("http") if self.tls.is_on() => {
                return Err(address(format!(
                    "{} is {}, which takes https://",
                    self.tls.variable(),
                    self.tls.mode.word()
                )));
            }
            Some("https") if !self.tls.is_on() => {
                return Err(address(format!("https:// takes {}=verify-full, or another mode", self.tls.variable())));
            }
            Some("http" | "https") => {}
            _ => return Err(address("it begins with neither http:// nor https://".to_owned())),
        }
        let mut request = Request::builder().uri(uri).method(Method::from_bytes(method.as_bytes()).unwrap_or_default());
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let request = request.body(Empty::new()).map_err(|error| address(error.to_string()))?;
        let answer = async {
            let answer = self.client.request(request).await.map_err(|error| self.no_answer(&error))?;
            self.tls.works();
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await.map_err(|error| NoAnswer::Unreachable(error.to_string()))?;
            Ok((status, body.to_bytes().to_vec()))
        };
        self.runtime
            .block_on(async { tokio::time::timeout(self.timeout, answer).await })
            .unwrap_or_else(|_| Err(NoAnswer::Unreachable(format!("nothing came in {} s", self.timeout.as_secs()))))
    }

    fn no_answer(&self, error: &hyper_util::client::legacy::Error) -> NoAnswer {
        if let Some(why) = self.tls.explain(error) {
            return NoAnswer::Tls(why);
        }
        let mut last: &dyn std::error::Error = error;
        while let Some(cause) = last.source() {
            last = cause;
        }
        let is_garbage =
            error.source().and_then(|cause| cause.downcast_ref::<hyper::Error>()).is_some_and(hyper::Error::is_parse);
        if is_garbage { NoAnswer::Protocol(last.to_string()) } else { NoAnswer::Unreachable(last.to_string()) }
    }
}
