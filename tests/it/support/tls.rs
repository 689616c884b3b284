//! Certificates of a test's own, and HAProxy, which speaks TLS for servers of the stack that do not.

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};
use tempfile::TempDir;

use super::private_stack::free_port;
use super::{env, wait_for};

/// An authority with its certificates, as PEM files in a folder: `ca.pem`, then for each name `NAME.pem`, `NAME.key`, and both in `NAME.both`.
pub struct Authority {
    folder: TempDir,
    certificate: X509,
    key: PKey<Private>,
}

/// What a certificate is made of.
struct Wanted<'w> {
    file: &'w str,
    /// Who has it.
    name: &'w str,
    /// For how many days from now it is valid; before 0 it has been.
    days: i64,
}

/// An authority that has signed `good` and `expired` for localhost, `other` for db.example, and `us` and `us_expired` for a client called `us`; and one that nobody
/// knows, which has signed the last as well.
pub fn two_authorities(us: &str) -> (Authority, Authority) {
    let (authority, other) = (Authority::new("Test Authority"), Authority::new("Somebody Else"));
    for (file, name, days) in [
        ("good", "localhost", 30),
        ("expired", "localhost", -3),
        ("other", "db.example", 30),
        ("us", us, 30),
        ("us_expired", us, -3),
    ] {
        authority.sign(&Wanted { file, name, days });
    }
    other.sign(&Wanted { file: "us", name: us, days: 30 });
    (authority, other)
}

impl Authority {
    pub fn new(name: &str) -> Authority {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = make(name, 3650, None);
        std::fs::write(folder.path().join("ca.pem"), certificate.to_pem().unwrap()).unwrap();
        Authority { folder, certificate, key }
    }

    fn sign(&self, wanted: &Wanted<'_>) {
        let (certificate, key) = make(wanted.name, wanted.days, Some(self));
        let (certificate, key) = (certificate.to_pem().unwrap(), key.private_key_to_pem_pkcs8().unwrap());
        let write = |ending: &str, bytes: &[u8]| {
            std::fs::write(self.folder.path().join(format!("{}.{ending}", wanted.file)), bytes).unwrap();
        };
        write("pem", &certificate);
        write("key", &key);
        write("both", &[certificate, key].concat());
    }

    pub fn path(&self, file: &str) -> String {
        self.folder.path().join(file).to_str().unwrap().to_owned()
    }
}

fn make(name: &str, days: i64, authority: Option<&Authority>) -> (X509, PKey<Private>) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut subject = X509NameBuilder::new().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    let serial = u32::from(key.rsa().unwrap().n().to_vec()[0]) + 1;
    builder.set_serial_number(&BigNum::from_u32(serial).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_pubkey(&key).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let at = |days: i64| Asn1Time::from_unix(now + days * 86_400).unwrap();
    builder.set_not_before(&at(days.min(0) - 1)).unwrap();
    builder.set_not_after(&at(days)).unwrap();
    match authority {
        None => {
            builder.set_issuer_name(&subject).unwrap();
            builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
            builder.sign(&key, MessageDigest::sha256()).unwrap();
        }
        Some(Authority { certificate, key, .. }) => {
            builder.set_issuer_name(certificate.subject_name()).unwrap();
            let names = SubjectAlternativeName::new().dns(name).build(&builder.x509v3_context(Some(certificate), None));
            builder.append_extension(names.unwrap()).unwrap();
            builder.sign(key, MessageDigest::sha256()).unwrap();
        }
    }
    (builder.build(), key)
}

/// A port of HAProxy's: what stands behind `ssl crt`, and where it leads to. Without a certificate it takes plain HTTP: the local stack's
/// ClickHouse itself would not live through a handshake.
pub struct Front {
    pub certificate: Option<String>,
    pub to: String,
}

/// HAProxy, until it is dropped.
pub struct Proxy {
    process: Child,
    /// One for each front, in their order.
    pub ports: Vec<u16>,
    _folder: TempDir,
}

impl Proxy {
    pub fn new(fronts: &[Front]) -> Proxy {
        let folder = tempfile::tempdir().unwrap();
        let ports: Vec<u16> = fronts.iter().map(|_| free_port()).collect();
        let mut config = "defaults\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n".to_owned();
        for (front, port) in fronts.iter().zip(&ports) {
            let (mode, bind) = match &front.certificate {
                Some(certificate) => ("tcp", format!("ssl crt {certificate}")),
                None => ("http", String::new()),
            };
            config += &format!(
                "listen port{port}\n  mode {mode}\n  bind 127.0.0.1:{port} {bind}\n  server one {}\n",
                front.to
            );
        }
        let file: PathBuf = folder.path().join("haproxy.cfg");
        std::fs::write(&file, config).unwrap();
        let process = Command::new("haproxy").arg("-db").arg("-q").arg("-f").arg(&file).stdout(Stdio::null()).spawn();
        let process = process.expect("haproxy: local-stack/stack install-test-deps");
        let proxy = Proxy { process, ports, _folder: folder };
        wait_for("HAProxy to listen", || {
            proxy.ports.iter().all(|port| TcpStream::connect(("127.0.0.1", *port)).is_ok())
        });
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where the stack's ClickHouse listens.
pub fn clickhouse_address() -> String {
    format!("127.0.0.1:{}", env("CLICKHOUSE_PORT", "8123"))
}

/// Where the stack's Connect listens.
pub fn connect_address() -> String {
    env("CONNECT_URL", "http://127.0.0.1:8083").trim_start_matches("http://").to_owned()
}
