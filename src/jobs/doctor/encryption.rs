//! What is encrypted on a link, and who answers there as far as that was looked at.

use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::Result;

use crate::cli::KafkaArgs;
use crate::health::finding::{Finding, ok, warn};
use crate::tls::{Link, Mode, Tls};

/// Says it of a link that works. Clear text to another machine is worth a word, and so is a server that anybody could stand in for.
pub fn encryption(tls: &Tls, host: &str) -> Finding {
    let text = tls.describe();
    let (variable, is_here) = (tls.variable(), is_this_machine(host));
    match tls.mode {
        Mode::Disable if is_here => ok(format!("{text}, and on this machine alone ({host})")),
        Mode::Disable => warn(
            format!("{text}: passwords and rows go to {host} in clear text"),
            format!(
                "set {variable}=verify-full, and {variable}_CA_FILE if its certificate is none of a public authority"
            ),
        ),
        Mode::Require => warn(text, format!("set {variable}=verify-full, and {variable}_CA_FILE if need be")),
        Mode::VerifyCa | Mode::VerifyFull => ok(text),
    }
}

/// The same of the brokers, whose settings may also be librdkafka's own: those win.
///
/// # Errors
/// Exit 2: `KAFKA_TLS` and its files do not fit.
pub fn kafka_encryption(args: &KafkaArgs) -> Result<Finding> {
    let own = |name: &str| args.settings.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.to_lowercase());
    let tls = Tls::of(Link::Kafka)?;
    let host = |server: &str| {
        let address = server.rsplit_once("://").map_or(server, |(_, address)| address).trim();
        address.rsplit_once(':').map_or(address, |(host, _)| host).to_owned()
    };
    let hosts: Vec<String> = args.kafka.split(',').map(host).collect();
    let far = hosts.iter().find(|host| !is_this_machine(host)).or(hosts.first()).cloned().unwrap_or_default();
    let is_encrypted = own("security.protocol").map_or(tls.is_on(), |protocol| protocol.ends_with("ssl"));
    if !is_encrypted && tls.is_on() {
        let text =
            format!("not encrypted: security.protocol of -X or KAFKA_OPTIONS wins over KAFKA_TLS={}", tls.mode.word());
        return Ok(warn(text, "take security.protocol out of them"));
    }
    let is_off = |value: &String| ["false", "f", "0"].contains(&value.as_str());
    let mode = if !is_encrypted {
        Mode::Disable
    } else if own("enable.ssl.certificate.verification").as_ref().map_or(tls.mode == Mode::Require, is_off) {
        Mode::Require
    } else if own("ssl.endpoint.identification.algorithm").map_or(tls.mode == Mode::VerifyCa, |name| name == "none") {
        Mode::VerifyCa
    } else {
        Mode::VerifyFull
    };
    let ca_file = args.settings.iter().rfind(|(key, _)| key == "ssl.ca.location").map(|(_, path)| PathBuf::from(path));
    Ok(encryption(&tls.as_set(mode, ca_file), &far))
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.starts_with('/') || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::finding::Verdict;

    #[test]
    fn clear_text_to_another_machine_is_worth_a_word() {
        let tls = |mode| Tls::of(Link::Connect).unwrap().as_set(mode, None);
        for (mode, host, verdict) in [
            (Mode::Disable, "127.0.0.1", Verdict::Ok),
            (Mode::Disable, "[::1]", Verdict::Ok),
            (Mode::Disable, "connect", Verdict::Warn),
            (Mode::Require, "localhost", Verdict::Warn),
            (Mode::VerifyFull, "connect", Verdict::Ok),
        ] {
            assert_eq!(encryption(&tls(mode), host).verdict, verdict, "{mode:?} {host}");
        }
    }
}
