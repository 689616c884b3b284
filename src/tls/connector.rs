//! A link's settings as OpenSSL takes them.

use std::net::IpAddr;
use std::path::Path;
use std::sync::PoisonError;

use anyhow::{Context, Result};
use hyper_openssl::client::legacy::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::ssl::{ConnectConfiguration, SslConnector, SslConnectorBuilder, SslMethod, SslVerifyMode, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::X509StoreBuilder;

use super::{Identity, Mode, Tls, refusal};
use crate::exit::needs_person;

impl Tls {
    /// OpenSSL's settings for the link.
    ///
    /// # Errors
    /// Exit 78: a file cannot be read, or is not what it should be.
    pub fn builder(&self) -> Result<SslConnectorBuilder> {
        let mut builder = SslConnector::builder(SslMethod::tls_client()).context("starting OpenSSL")?;
        builder.set_min_proto_version(Some(SslVersion::TLS1_2)).context("starting OpenSSL")?;
        if let Some(path) = &self.ca_file {
            let text = self.file("_CA_FILE", path)?;
            let authorities = X509::stack_from_pem(&text).ok().filter(|all| !all.is_empty());
            let authorities = authorities.ok_or_else(|| self.no_pem("_CA_FILE", path, "certificate"))?;
            let mut store = X509StoreBuilder::new().context("starting OpenSSL")?;
            for authority in authorities {
                store.add_cert(authority).with_context(|| format!("taking up {}", path.display()))?;
            }
            builder.set_cert_store(store.build());
        }
        if let Some(identity) = &self.identity {
            self.show(&mut builder, identity)?;
        }
        let verify = if self.mode == Mode::Require { SslVerifyMode::NONE } else { SslVerifyMode::PEER };
        let (refused, is_verified) = (self.refused.clone(), verify == SslVerifyMode::PEER);
        builder.set_verify_callback(verify, move |is_good, chain| {
            if !is_good && is_verified {
                *refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal::of_certificate(chain));
            }
            is_good || !is_verified
        });
        Ok(builder)
    }

    /// What has to be said of each connection.
    ///
    /// # Errors
    /// OpenSSL refuses.
    pub fn configure(&self, connection: &mut ConnectConfiguration) -> Result<(), ErrorStack> {
        connection.set_verify_hostname(self.mode == Mode::VerifyFull);
        Ok(())
    }

    /// Connections over HTTP, and over HTTPS.
    ///
    /// # Errors
    /// As [`Tls::builder`].
    pub fn over(&self, mut http: HttpConnector) -> Result<HttpsConnector<HttpConnector>> {
        http.enforce_http(false);
        let mut connector = HttpsConnector::with_connector(http, self.builder()?).context("starting OpenSSL")?;
        let tls = self.clone();
        connector.set_callback(move |connection, address| {
            tls.configure(connection)?;
            // hyper-openssl would look for a name with the brackets.
            let host =
                address.host().and_then(|host| host.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok());
            if let Some(host) = host {
                connection.set_verify_hostname(false);
                connection.set_use_server_name_indication(false);
                if tls.mode == Mode::VerifyFull {
                    connection.param_mut().set_ip(host)?;
                }
            }
            Ok(())
        });
        Ok(connector)
    }

    fn show(&self, builder: &mut SslConnectorBuilder, identity: &Identity) -> Result<()> {
        let Identity { cert_file, key_file, key_password } = identity;
        let text = self.file("_CERT_FILE", cert_file)?;
        let mut chain = X509::stack_from_pem(&text).unwrap_or_default().into_iter();
        let own = chain.next().ok_or_else(|| self.no_pem("_CERT_FILE", cert_file, "certificate"))?;
        builder.set_certificate(&own).with_context(|| format!("taking up {}", cert_file.display()))?;
        for between in chain {
            builder.add_extra_chain_cert(between).with_context(|| format!("taking up {}", cert_file.display()))?;
        }
        let text = self.file("_KEY_FILE", key_file)?;
        let password = key_password.reveal().as_bytes();
        let key = PKey::private_key_from_pem_passphrase(&text, password).map_err(|_| {
            let password = self.named("_KEY_FILE").replace("_KEY_FILE", "_KEY_PASSWORD");
            needs_person(format!(
                "{}={}: there is no key in it that can be read as PEM; a key with a password needs {password} or {password}_FILE",
                self.named("_KEY_FILE"),
                key_file.display()
            ))
        })?;
        builder.set_private_key(&key).and_then(|()| builder.check_private_key()).map_err(|_| {
            let (cert, key) = (self.named("_CERT_FILE"), self.named("_KEY_FILE"));
            needs_person(format!(
                "{} is not the key of {}: correct {key} or {cert}",
                key_file.display(),
                cert_file.display()
            ))
        })
    }

    fn file(&self, variable: &str, path: &Path) -> Result<Vec<u8>> {
        std::fs::read(path)
            .map_err(|error| needs_person(format!("{}={}: {error}", self.named(variable), path.display())))
    }

    fn no_pem(&self, variable: &str, path: &Path, what: &str) -> anyhow::Error {
        let variable = self.named(variable);
        needs_person(format!("{variable}={}: there is no {what} in it that can be read as PEM", path.display()))
    }
}
