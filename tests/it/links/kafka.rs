//! Kafka over TLS: who is believed, who is refused, and in which words.

use crate::support::event::customer;
use crate::support::private_stack::PrivateStack;
use crate::support::tls::Authority;
use crate::support::{Outcome, World, outcome};

#[test]
fn kafka_is_believed_as_far_as_the_mode_says() {
    let kafka = PrivateStack::kafka_encrypted();
    let world = World::new("tls_kafka");
    kafka.produce(&world, 1, &[customer("u", "ALFKI", "Alfreds", 100).message()]);
    let (ours, other) = (kafka.ca_file(), Authority::new("Somebody Else"));
    let theirs = other.path("ca.pem");
    let run = |job: &str, environment: &[(&str, &str)]| -> Outcome {
        let mut command = world.command(job, &["--kafka", &kafka.address()]);
        outcome(command.envs(environment.iter().copied()).spawn().unwrap())
    };
    let ingest = |environment: &[(&str, &str)]| run("ingest-customers", environment);

    let full = [("KAFKA_TLS", "verify-full"), ("KAFKA_TLS_CA_FILE", ours.as_str())];
    assert_eq!(ingest(&full).expect_exit(0).count("written"), 1);
    ingest(&[("KAFKA_TLS", "require")]).expect_exit(0);
    // librdkafka's own words win.
    let own = format!("security.protocol=SSL ssl.ca.location={ours}");
    ingest(&[("KAFKA_TLS", "disable"), ("KAFKA_OPTIONS", &own)]).expect_exit(0);

    for wrong in
        [&[("KAFKA_TLS", "verify-full"), ("KAFKA_TLS_CA_FILE", theirs.as_str())][..], &[("KAFKA_TLS", "verify-ca")]]
    {
        ingest(wrong).expect_exit(78).error_says(&["certificate verify failed", "KAFKA_TLS and its files"]);
    }
    let nowhere = [("KAFKA_TLS", "verify-full"), ("KAFKA_TLS_CA_FILE", "/nowhere.pem")];
    ingest(&nowhere).expect_exit(78).error_says(&["KAFKA_TLS_CA_FILE=/nowhere.pem: No such file"]);
    ingest(&[]).expect_exit(75).error_says(&["if they await TLS there: set KAFKA_TLS=verify-full"]);

    let doctor = |environment: &[(&str, &str)]| run("doctor", &[&[("CONNECTOR", "none")], environment].concat()).stdout;
    let seen = doctor(&full);
    assert!(
        seen.contains(&format!("encrypted; its certificate and its name are verified by {ours} (verify-full)")),
        "{seen}"
    );
    let seen = doctor(&[("KAFKA_OPTIONS", &own)]);
    assert!(
        seen.contains(&format!("encrypted; its certificate and its name are verified by {ours} (verify-full)")),
        "{seen}"
    );
    let off = format!("{own} enable.ssl.certificate.verification=0");
    let seen = doctor(&[("KAFKA_OPTIONS", &off)]);
    assert!(seen.contains("not verified: whoever answers is believed (require)"), "{seen}");
    let seen = doctor(&[("KAFKA_TLS", "verify-full")]);
    assert!(seen.contains("certificate verify failed") && seen.contains("correct KAFKA_TLS and its files"), "{seen}");
}
