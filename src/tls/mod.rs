//! TLS to every server, set in one way for all of them. `TLS=verify-full` is for all links, `POSTGRES_TLS`, `CLICKHOUSE_TLS`, `CONNECT_TLS` and
//! `KAFKA_TLS` are for one; likewise `TLS_CA_FILE`, `TLS_CERT_FILE`, `TLS_KEY_FILE` and the secret `TLS_KEY_PASSWORD[_FILE]`. Files are PEM.
//! OpenSSL does the work, as it does in librdkafka: one library to keep up to date, one set of root certificates.

mod connector;
mod http;
mod kafka;
mod refusal;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use strum::{EnumString, IntoStaticStr, VariantArray, VariantNames};

use self::refusal::Refused;
use crate::cli::Secret;
use crate::exit::usage;

pub use http::{Http, NoAnswer};

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "UPPERCASE")]
pub enum Link {
    /// PostgreSQL, the source, and a read replica of it.
    Postgres,
    /// ClickHouse, over HTTP.
    ClickHouse,
    /// Kafka Connect's REST interface.
    Connect,
    /// The brokers.
    Kafka,
}

/// What is demanded of a link; the words are libpq's. Its `allow` and `prefer` are not here: what anybody between can switch off protects nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "kebab-case")]
pub enum Mode {
    /// Clear text.
    Disable,
    /// Encrypted; whoever answers is believed.
    Require,
    /// Encrypted; who answers has a certificate of a known authority, for whatever name.
    VerifyCa,
    /// Encrypted; who answers has a certificate of a known authority, for the name that was asked for.
    VerifyFull,
}

/// How one link is secured.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The link.
    pub link: Link,
    /// What is demanded of it, …
    pub mode: Mode,
    /// … and what says so.
    said_by: String,
    /// Authorities that are believed; the system's, if there is none.
    pub ca_file: Option<PathBuf>,
    /// Who we are: certificate and key.
    pub identity: Option<Identity>,
    /// What the last certificate was refused for.
    refused: Arc<Mutex<Option<Refused>>>,
    /// Has it been answered once? Then what goes wrong later has other reasons.
    worked: Arc<AtomicBool>,
}

/// A client certificate.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The certificate, and those between it and its authority.
    pub cert_file: PathBuf,
    /// Its key.
    pub key_file: PathBuf,
    /// The key's password, if it has one.
    pub key_password: Secret,
}

impl Link {
    /// What its variables begin with.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

impl Mode {
    /// Reads one of the words.
    ///
    /// # Errors
    /// Exit 2: `word`, which `variable` says, is none of them.
    pub fn parse(variable: &str, word: &str) -> Result<Mode> {
        word.parse().map_err(|_| usage(format!("{variable}={word}: write one of {}", Mode::VARIANTS.join(", "))))
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        self.into()
    }
}

impl Tls {
    /// As the environment says for a link.
    ///
    /// # Errors
    /// Exit 2: an unknown word, files without a mode, half of a client certificate.
    pub fn of(link: Link) -> Result<Tls> {
        Tls::read(link, None, &environment)
    }

    /// The same, with a mode that is said elsewhere: in a URL, by the words `said_by`.
    ///
    /// # Errors
    /// As [`Tls::of`].
    pub fn with_mode_of(link: Link, said_by: &str, word: &str) -> Result<Tls> {
        Tls::read(link, Some((said_by.to_owned(), word.to_owned())), &environment)
    }

    fn read(link: Link, mode: Option<(String, String)>, variable: &dyn Fn(&str) -> Option<String>) -> Result<Tls> {
        // The link's own variable wins.
        let set = |of: &str| {
            [format!("{}_TLS{of}", link.name()), format!("TLS{of}")]
                .into_iter()
                .find_map(|name| variable(&name).map(|value| (name, value)))
        };
        let file = |of: &str| set(of).map(|(name, path)| (name, PathBuf::from(path)));
        let (ca_file, cert_file, key_file) = (file("_CA_FILE"), file("_CERT_FILE"), file("_KEY_FILE"));
        let said_by = mode.as_ref().map_or_else(|| format!("{}_TLS", link.name()), |(said_by, _)| said_by.clone());
        let mode = match mode.or_else(|| set("")) {
            Some((name, word)) => Mode::parse(&name, &word)?,
            // Files for all links may be for those that have a mode of their own.
            None => match [&ca_file, &cert_file, &key_file].into_iter().flatten().next() {
                Some((name, _)) if !name.starts_with("TLS") || !any_link_is_on(variable) => {
                    return Err(usage(format!("{name} is set, and TLS is not: set TLS=verify-full")));
                }
                _ => Mode::Disable,
            },
        };
        let identity = match (cert_file, key_file) {
            (Some((_, cert_file)), Some((_, key_file))) => {
                let secret =
                    |name: String| [name.clone(), format!("{name}_FILE")].iter().any(|name| variable(name).is_some());
                let own = format!("{}_TLS_KEY_PASSWORD", link.name());
                let secret = if secret(own.clone()) { own } else { "TLS_KEY_PASSWORD".to_owned() };
                Some(Identity { cert_file, key_file, key_password: Secret::from_env(&secret, "")? })
            }
            (None, None) => None,
            (Some((name, _)), None) => {
                let other = name.replace("_CERT_", "_KEY_");
                return Err(usage(format!(
                    "{name} is set, and {other} is not: a certificate is no use without its key"
                )));
            }
            (None, Some((name, _))) => {
                let other = name.replace("_KEY_", "_CERT_");
                return Err(usage(format!(
                    "{name} is set, and {other} is not: a key is no use without its certificate"
                )));
            }
        };
        let is_on = mode != Mode::Disable;
        Ok(Tls {
            link,
            mode,
            said_by,
            ca_file: ca_file.map(|(_, path)| path).filter(|_| is_on),
            identity: identity.filter(|_| is_on),
            refused: Arc::default(),
            worked: Arc::default(),
        })
    }

    /// The same, as other settings of the client have it.
    pub fn as_set(self, mode: Mode, ca_file: Option<PathBuf>) -> Tls {
        Tls { mode, ca_file: ca_file.or(self.ca_file.clone()), ..self }
    }

    /// Is anything encrypted?
    pub fn is_on(&self) -> bool {
        self.mode != Mode::Disable
    }

    /// What says the mode: a variable, or a part of a URL.
    pub fn said_by(&self) -> &str {
        &self.said_by
    }

    /// What the names of the link's variables begin with.
    pub fn variable(&self) -> String {
        format!("{}_TLS", self.link.name())
    }

    /// It was answered.
    pub fn works(&self) {
        self.worked.store(true, Ordering::Relaxed);
    }

    fn has_worked(&self) -> bool {
        self.worked.load(Ordering::Relaxed)
    }

    /// For people: what is encrypted, and what is looked at.
    pub fn describe(&self) -> String {
        let believed = || match &self.ca_file {
            Some(file) => format!("by {}", file.display()),
            None => "by the system's root certificates".to_owned(),
        };
        let shown = if self.identity.is_some() { ", and a client certificate is shown" } else { "" };
        let verified = match self.mode {
            Mode::Disable => return "not encrypted".to_owned(),
            Mode::Require => "not verified: whoever answers is believed (require)".to_owned(),
            Mode::VerifyCa => format!("its certificate is verified {}, its name is not (verify-ca)", believed()),
            Mode::VerifyFull => format!("its certificate and its name are verified {} (verify-full)", believed()),
        };
        format!("encrypted; {verified}{shown}")
    }

    /// The link's own variable, and the one for all.
    fn named(&self, of: &str) -> String {
        let own = format!("{}_TLS{of}", self.link.name());
        if std::env::var_os(&own).is_some() { own } else { format!("TLS{of}") }
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn any_link_is_on(variable: &dyn Fn(&str) -> Option<String>) -> bool {
    let mode = |link: &Link| variable(&format!("{}_TLS", link.name()));
    Link::VARIANTS.iter().filter_map(mode).any(|word| word != Mode::Disable.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Tls> {
        let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Tls::read(Link::Postgres, None, &get)
    }

    fn refused(variables: &[(&str, &str)]) -> String {
        format!("{:#}", read(variables).unwrap_err())
    }

    #[test]
    fn a_links_own_word_wins() {
        assert_eq!(read(&[]).unwrap().mode, Mode::Disable);
        assert_eq!(read(&[("TLS", "verify-full")]).unwrap().mode, Mode::VerifyFull);
        let own = read(&[("TLS", "verify-full"), ("POSTGRES_TLS", "disable"), ("TLS_CA_FILE", "a")]).unwrap();
        assert_eq!((own.mode, own.describe().as_str()), (Mode::Disable, "not encrypted"));
        let own = read(&[("TLS", "verify-ca"), ("TLS_CA_FILE", "a"), ("POSTGRES_TLS_CA_FILE", "b")]).unwrap();
        assert_eq!(own.describe(), "encrypted; its certificate is verified by b, its name is not (verify-ca)");
    }

    #[test]
    fn half_a_setting_is_refused() {
        assert_eq!(refused(&[("TLS", "prefer")]), "TLS=prefer: write one of disable, require, verify-ca, verify-full");
        assert_eq!(refused(&[("TLS_CA_FILE", "a")]), "TLS_CA_FILE is set, and TLS is not: set TLS=verify-full");
        assert_eq!(read(&[("TLS_CA_FILE", "a"), ("KAFKA_TLS", "verify-full")]).unwrap().mode, Mode::Disable);
        refused(&[("POSTGRES_TLS_CA_FILE", "a"), ("KAFKA_TLS", "verify-full")]);
        refused(&[("TLS_CA_FILE", "a"), ("KAFKA_TLS", "disable")]);
        let half = refused(&[("TLS", "require"), ("POSTGRES_TLS_CERT_FILE", "a")]);
        assert!(half.starts_with("POSTGRES_TLS_CERT_FILE is set, and POSTGRES_TLS_KEY_FILE is not"), "{half}");
        let half = refused(&[("TLS", "require"), ("TLS_KEY_FILE", "a")]);
        assert!(half.starts_with("TLS_KEY_FILE is set, and TLS_CERT_FILE is not"), "{half}");
    }

    #[test]
    fn kafka_is_told_the_same() {
        let tls = read(&[("TLS", "verify-ca"), ("TLS_CA_FILE", "ca.pem")]).unwrap();
        let settings = Tls { ca_file: None, ..tls.clone() }.for_kafka(true).unwrap();
        let of = |name: &str| settings.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        assert_eq!(of("security.protocol"), Some("SASL_SSL"));
        assert_eq!(of("ssl.endpoint.identification.algorithm"), Some("none"));
        assert_eq!((of("ssl.ca.location"), of("ssl.key.location")), (None, None));
        assert!(read(&[]).unwrap().for_kafka(true).unwrap().is_empty());
        let missing = tls.for_kafka(true).unwrap_err().to_string();
        assert!(missing.starts_with("TLS_CA_FILE=ca.pem: No such file"), "{missing}");
    }
}
