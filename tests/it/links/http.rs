//! ClickHouse and Kafka Connect over HTTPS: who is let in, who is refused, and in which words.

use crate::support::tls::{Authority, Front, Proxy, clickhouse_address, connect_address, two_authorities};
use crate::support::{Outcome, World};

/// The stack's servers behind TLS, by every kind of certificate.
struct Behind {
    authority: Authority,
    other: Authority,
    /// To both servers: a good certificate, one that has expired, one for another name, a good one that wants to see the client's,
    /// and none.
    proxy: Proxy,
}

const GOOD: usize = 0;
const EXPIRED: usize = 1;
const OTHER_NAME: usize = 2;
const WANTS_OURS: usize = 3;
const PLAIN: usize = 4;
const KINDS: usize = 5;

impl Behind {
    fn new() -> Behind {
        let (authority, other) = two_authorities("lockstep");
        let wants = format!("{} ca-file {} verify required", authority.path("good.both"), authority.path("ca.pem"));
        let signed = [authority.path("good.both"), authority.path("expired.both"), authority.path("other.both"), wants];
        let kinds = signed.map(Some).into_iter().chain([None]);
        let fronts = [clickhouse_address(), connect_address()]
            .into_iter()
            .flat_map(|to| kinds.clone().map(move |certificate| Front { certificate, to: to.clone() }));
        let proxy = Proxy::new(&fronts.collect::<Vec<_>>());
        Behind { authority, other, proxy }
    }

    fn clickhouse(&self, kind: usize) -> u16 {
        self.proxy.ports[kind]
    }

    fn connect(&self, kind: usize) -> u16 {
        self.proxy.ports[KINDS + kind]
    }
}

fn run(world: &World, job: &str, args: &[&str], environment: &[(&str, &str)]) -> Outcome {
    crate::support::outcome(world.command(job, args).envs(environment.iter().copied()).spawn().unwrap())
}

#[test]
fn clickhouse_is_believed_as_far_as_the_mode_says() {
    let world = World::with_topic("tls_clickhouse", 1);
    let behind = Behind::new();
    let (ours, theirs) = (behind.authority.path("ca.pem"), behind.other.path("ca.pem"));
    let ingest = |host: &str, port: u16, environment: &[(&str, &str)]| {
        let port = port.to_string();
        run(&world, "ingest-customers", &["--clickhouse-host", host, "--clickhouse-port", &port], environment)
    };
    let (good, expired, other_name) =
        (behind.clickhouse(GOOD), behind.clickhouse(EXPIRED), behind.clickhouse(OTHER_NAME));
    let full = [("CLICKHOUSE_TLS", "verify-full"), ("CLICKHOUSE_TLS_CA_FILE", ours.as_str())];

    ingest("localhost", good, &full).expect_exit(0);
    let with_ca = [("CLICKHOUSE_TLS", "verify-ca"), ("TLS_CA_FILE", ours.as_str())];
    ingest("localhost", other_name, &with_ca).expect_exit(0);
    ingest("localhost", expired, &[("CLICKHOUSE_TLS", "require")]).expect_exit(0);

    let refused = |outcome: Outcome, words: &[&str]| {
        let outcome = outcome.expect_exit(78);
        for word in words {
            assert!(outcome.error().contains(word), "{word}: {}", outcome.error());
        }
    };
    refused(
        ingest("localhost", other_name, &full),
        &["not for the name that was asked for, but for db.example", "CLICKHOUSE_TLS=verify-ca"],
    );
    refused(ingest("127.0.0.1", good, &full), &["but for localhost"]);
    refused(ingest("localhost", expired, &full), &["has expired on", "renewed"]);
    refused(ingest("localhost", expired, &with_ca), &["has expired on"]);
    let wrong = [("CLICKHOUSE_TLS", "verify-full"), ("CLICKHOUSE_TLS_CA_FILE", theirs.as_str())];
    refused(ingest("localhost", good, &wrong), &["signed by Test Authority, which is not known here", &theirs]);
    let public = [("CLICKHOUSE_TLS", "verify-full")];
    refused(ingest("localhost", good, &public), &["signed by Test Authority", "set CLICKHOUSE_TLS_CA_FILE"]);
    refused(
        ingest("localhost", behind.clickhouse(PLAIN), &full),
        &["there is no TLS there", "CLICKHOUSE_PORT", "8443"],
    );
    let hung_up = ingest("localhost", good, &[]).expect_exit(75);
    assert!(hung_up.error().contains("if it awaits TLS there: set CLICKHOUSE_TLS=verify-full"), "{}", hung_up.error());

    // What a server says of our certificate may come too late to be read.
    let stranger = |outcome: Outcome, words: &str| {
        assert!([75, 78].contains(&outcome.exit) && outcome.error().contains(words), "{outcome:?}");
    };
    let wants = behind.clickhouse(WANTS_OURS);
    stranger(ingest("localhost", wants, &full), "wants a client certificate; set CLICKHOUSE_TLS_CERT_FILE");
    let shown_as = |of: &Authority, file: &str| {
        let (cert, key) = (of.path(&format!("{file}.pem")), of.path(&format!("{file}.key")));
        let own = [("CLICKHOUSE_TLS_CERT_FILE", cert.as_str()), ("CLICKHOUSE_TLS_KEY_FILE", key.as_str())];
        ingest("localhost", wants, &[&full[..], &own].concat())
    };
    let shown = |of: &Authority| shown_as(of, "us");
    shown(&behind.authority).expect_exit(0);
    stranger(shown_as(&behind.authority, "us_expired"), "does not accept the client certificate");
    stranger(shown(&behind.other), "does not accept the client certificate");
    let (cert, key) = (behind.authority.path("us.pem"), behind.authority.path("good.key"));
    let mixed = [&full[..], &[("TLS_CERT_FILE", cert.as_str()), ("TLS_KEY_FILE", key.as_str())]].concat();
    refused(
        ingest("localhost", wants, &mixed),
        &["good.key is not the key of", "correct TLS_KEY_FILE or TLS_CERT_FILE"],
    );
    let nothing = [
        ("TLS", "verify-full"),
        ("POSTGRES_TLS", "disable"),
        ("KAFKA_TLS", "disable"),
        ("TLS_CA_FILE", "/nowhere.pem"),
    ];
    refused(ingest("localhost", good, &nothing), &["TLS_CA_FILE=/nowhere.pem: No such file"]);
}

/// A line of what `doctor` says, with what to do behind it.
fn line(outcome: &Outcome, server: &str, check: &str) -> String {
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    let is_it = |line: &&str| line.split_whitespace().skip(1).take(2).eq([server, check]);
    let at = lines.iter().position(is_it).unwrap_or_else(|| panic!("no {server} {check} in {}", outcome.stdout));
    let fix = lines.get(at + 1).filter(|line| line.trim_start().starts_with("fix:")).unwrap_or(&"");
    format!("{}\n{}", lines[at], fix.trim_start())
}

#[test]
fn the_doctor_says_what_is_encrypted_and_who_was_believed() {
    let world = World::with_topic("tls_doctor", 1);
    let behind = Behind::new();
    let ours = behind.authority.path("ca.pem");
    let doctor = |connect: u16, clickhouse: u16, mode: &str| {
        let (url, port) = (format!("https://localhost:{connect}"), clickhouse.to_string());
        let args = [
            "--table",
            "customers",
            "--connect-url",
            &url,
            "--clickhouse-host",
            "localhost",
            "--clickhouse-port",
            &port,
        ];
        let own =
            [("TLS", mode), ("TLS_CA_FILE", ours.as_str()), ("POSTGRES_TLS", "disable"), ("KAFKA_TLS", "disable")];
        run(&world, "doctor", &args, &own)
    };
    let seen = doctor(behind.connect(GOOD), behind.clickhouse(GOOD), "verify-full");
    let verified = format!("encrypted; its certificate and its name are verified by {ours} (verify-full)");
    assert!(line(&seen, "connect", "encryption").contains(&verified), "{}", seen.stdout);
    assert!(line(&seen, "clickhouse", "encryption").contains(&verified));
    assert!(line(&seen, "postgres", "encryption").contains("not encrypted, and on this machine alone"));
    assert!(line(&seen, "kafka", "encryption").contains("not encrypted, and on this machine alone"));

    let seen = doctor(behind.connect(OTHER_NAME), behind.clickhouse(EXPIRED), "require");
    let warned = line(&seen, "connect", "encryption");
    assert!(warned.contains("not verified: whoever answers is believed (require)"), "{warned}");
    assert!(warned.contains("fix: set CONNECT_TLS=verify-full"), "{warned}");

    let seen = doctor(behind.connect(EXPIRED), behind.clickhouse(OTHER_NAME), "verify-full").expect_exit(78);
    let refused = line(&seen, "connect", "reachable");
    assert!(refused.contains("no answer at https://localhost") && refused.contains("has expired on"), "{refused}");
    assert!(line(&seen, "clickhouse", "reachable").contains("but for db.example"), "{}", seen.stdout);

    let seen = doctor(behind.connect(WANTS_OURS), behind.clickhouse(WANTS_OURS), "verify-ca").expect_exit(78);
    assert!(line(&seen, "connect", "reachable").contains("wants a client certificate; set CONNECT_TLS_CERT_FILE"));
    assert!(
        line(&seen, "clickhouse", "reachable").contains("wants a client certificate; set CLICKHOUSE_TLS_CERT_FILE")
    );

    let login = format!("https://me:canary-5d1@localhost:{}", behind.connect(GOOD));
    let own = [("CONNECT_TLS", "verify-full"), ("CONNECT_TLS_CA_FILE", ours.as_str())];
    let seen = run(&world, "doctor", &["--table", "customers", "--connect-url", &login], &own);
    assert!(line(&seen, "connect", "reachable").contains("set CONNECT_USER and CONNECT_PASSWORD"), "{}", seen.stdout);
    assert!(!format!("{seen:?}").contains("canary-5d1"), "{seen:?}");

    let seen = doctor(behind.connect(PLAIN), behind.clickhouse(GOOD), "verify-full").expect_exit(78);
    assert!(line(&seen, "connect", "reachable").contains("there is no TLS there"), "{}", seen.stdout);
}
