//! Why a link was not made, as a sentence that names the setting. OpenSSL says it in words of its own, and not which server it speaks of.

use std::error::Error;
use std::sync::PoisonError;

use openssl::asn1::Asn1StringRef;
use openssl::nid::Nid;
use openssl::x509::{GeneralNameRef, X509NameRef, X509Ref, X509StoreContextRef};

use super::{Link, Tls};
use crate::exit::{needs_person, try_again};

/// OpenSSL's numbers for what is wrong with a certificate (`openssl/x509_vfy.h`).
const UNKNOWN: [i32; 6] = [2, 18, 19, 20, 21, 27];
const NOT_YET: i32 = 9;
const EXPIRED: i32 = 10;
const OTHER_NAME: [i32; 2] = [62, 64];

/// What a server says that has no TLS there: to PostgreSQL's question, or in plain HTTP where a handshake was awaited.
const PLAIN: [&str; 4] =
    ["server does not support TLS", "wrong version number", "packet length too long", "http request"];
/// What a server says that does not know us.
const STRANGER: [&str; 10] = [
    "alert certificate required",
    "alert certificate expired",
    "alert certificate unknown",
    "alert certificate revoked",
    "alert unsupported certificate",
    "alert bad certificate",
    "alert unknown ca",
    "alert access denied",
    "alert decrypt error",
    "requires a valid client certificate",
];
/// What a server says with which nothing can be agreed on.
const NOTHING_IN_COMMON: [&str; 4] =
    ["alert protocol version", "unsupported protocol", "alert handshake failure", "alert insufficient security"];
const UNKNOWN_NAME: [&str; 1] = ["unrecognized name"];
/// What is left of a refusal when it comes too early: with TLS 1.3 a server looks at our certificate when we already ask.
const BROKEN_OFF: [&str; 3] = ["Connection reset by peer", "unexpected eof", "unexpected EOF"];
/// What comes of plain HTTP where a handshake is awaited.
const HUNG_UP: [&str; 2] = ["connection closed before message completed", "invalid HTTP version parsed"];
/// The same from servers that understand it.
const AWAITS_TLS: [&str; 2] = ["HTTP request was sent to HTTPS port", "HTTP request to an HTTPS server"];

/// A certificate at which OpenSSL has stopped.
#[derive(Debug)]
pub(super) struct Refused {
    /// What is wrong, after the words "its certificate".
    why: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Time,
    Name,
    Authority,
    Other,
}

impl Tls {
    /// Why the server and we did not agree on TLS, if that is why it failed: exit 78, what happened and what to set; exit 75 where it may be the
    /// reason.
    pub fn explain(&self, error: &(dyn Error + 'static)) -> Option<anyhow::Error> {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Refused { why, kind }) = refused {
            return Some(needs_person(format!("TLS: its certificate {why}; {}", self.remedy(kind))));
        }
        let said = all(error);
        let has = |words: &[&str]| words.iter().any(|words| said.contains(words));
        let (variable, said_by, mode) = (self.variable(), self.said_by(), self.mode.word());
        match self.is_on() {
            true if has(&PLAIN) => {
                let port = self.other_port();
                Some(needs_person(format!("TLS: {said_by} is {mode}, and there is no TLS there; {port}")))
            }
            true if has(&NOTHING_IN_COMMON) => Some(needs_person(format!(
                "TLS: the server and this client have no version (1.2 or 1.3 here) or cipher in common, or it {}",
                self.about_us()
            ))),
            true if has(&UNKNOWN_NAME) => {
                Some(needs_person("TLS: the server does not know the host name that it is asked by; correct that"))
            }
            true if has(&STRANGER) => Some(needs_person(format!("TLS: the server {}", self.about_us()))),
            true if has(&BROKEN_OFF) && !self.has_worked() => {
                Some(try_again(format!("TLS: {said}; perhaps the server {}", self.about_us())))
            }
            false if has(&AWAITS_TLS) => Some(needs_person(format!(
                "TLS is awaited there: set {variable}=verify-full, and https:// in an address"
            ))),
            // It may have gone away as well: then the same command succeeds later.
            false if has(&HUNG_UP) && !self.has_worked() => {
                Some(try_again(format!("{said}; if it awaits TLS there: set {variable}=verify-full")))
            }
            _ => None,
        }
    }

    fn remedy(&self, kind: Kind) -> String {
        let (variable, said_by) = (self.variable(), self.said_by());
        match (kind, &self.ca_file) {
            (Kind::Time, _) => "it has to be renewed there".to_owned(),
            (Kind::Name, _) => {
                format!("connect to one of those names, or set {said_by}=verify-ca, by which no name is looked at")
            }
            (Kind::Other, _) => "the server needs another one".to_owned(),
            (Kind::Authority, Some(file)) => {
                format!("{} has to hold the certificate of whoever has signed it", file.display())
            }
            (Kind::Authority, None) => format!(
                "set {variable}_CA_FILE to the certificate of whoever has signed it: the system's root certificates do not have it"
            ),
        }
    }

    /// What a server that does not know us wants.
    fn about_us(&self) -> String {
        let variable = self.variable();
        let shown = match self.identity {
            Some(_) => "does not accept the client certificate; let it know who has signed that, or take another:",
            None => "wants a client certificate; set",
        };
        format!("{shown} {variable}_CERT_FILE and {variable}_KEY_FILE")
    }

    fn other_port(&self) -> String {
        let variable = self.said_by();
        match self.link {
            Link::Postgres => format!("switch it on (ssl = on), or set {variable}=disable"),
            Link::ClickHouse => {
                format!("set CLICKHOUSE_PORT to its HTTPS port (8443 by default), or {variable}=disable")
            }
            Link::Connect => format!("correct CONNECT_URL, or set {variable}=disable"),
            Link::Kafka => format!("set KAFKA_BOOTSTRAP_SERVERS to its TLS port, or {variable}=disable"),
        }
    }
}

/// An error with its causes.
fn all(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        said += &format!(": {error}");
        cause = error.source();
    }
    said
}

/// What is wrong with the certificate that OpenSSL looks at.
pub(super) fn of_certificate(chain: &X509StoreContextRef) -> Refused {
    let result = chain.error();
    let (why, kind) = match (chain.current_cert(), result.as_raw()) {
        (Some(certificate), NOT_YET) => {
            (format!("is not yet valid: it begins on {}", certificate.not_before()), Kind::Time)
        }
        (Some(certificate), EXPIRED) => {
            (format!("has expired on {} ({})", certificate.not_after(), subject(certificate)), Kind::Time)
        }
        (Some(certificate), number) if OTHER_NAME.contains(&number) => {
            let names = names(certificate).join(", ");
            (format!("is not for the name that was asked for, but for {names}"), Kind::Name)
        }
        (Some(certificate), number) if UNKNOWN.contains(&number) => {
            let issuer = common_name(certificate.issuer_name());
            (format!("is signed by {issuer}, which is not known here"), Kind::Authority)
        }
        _ => (format!("is refused: {}", result.error_string()), Kind::Other),
    };
    Refused { why, kind }
}

fn subject(certificate: &X509Ref) -> String {
    common_name(certificate.subject_name())
}

fn common_name(name: &X509NameRef) -> String {
    let text = |entry: &Asn1StringRef| entry.to_string().unwrap_or_default();
    name.entries_by_nid(Nid::COMMONNAME)
        .next()
        .map_or_else(|| "somebody without a name".to_owned(), |entry| text(entry.data()))
}

/// The names that it is for.
fn names(certificate: &X509Ref) -> Vec<String> {
    let Some(names) = certificate.subject_alt_names() else { return vec![subject(certificate)] };
    let name = |name: &GeneralNameRef| name.dnsname().map(str::to_owned).or_else(|| name.ipaddress().and_then(address));
    names.iter().filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(|bytes| std::net::Ipv4Addr::from(bytes).to_string());
    four.or_else(|_| <[u8; 16]>::try_from(bytes).map(|bytes| std::net::Ipv6Addr::from(bytes).to_string())).ok()
}
