//! What is encrypted on a link, and who answers there as far as that was looked at.

use std::net::IpAddr;

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

/// The same of the brokers, whose settings may also be librdkafka's own.
///
/// # Errors
/// Exit 2: `KAFKA_TLS` and its files do not fit.
pub fn kafka_encryption(args: &KafkaArgs) -> Result<Finding> {
    let own = |name: &str| args.settings.iter().rfind(|(key, _)| key == name).map(|(_, value)| value.to_lowercase());
    let host = args.kafka.split(',').next().and_then(|server| server.rsplit_once(':')).map_or("", |(host, _)| host);
    let tls = Tls::of(Link::Kafka)?;
    let Some(protocol) = own("security.protocol") else { return Ok(encryption(&tls, host)) };
    Ok(match protocol.as_str() {
        "ssl" | "sasl_ssl" if own("enable.ssl.certificate.verification").as_deref() == Some("false") => {
            encryption(&tls.with_mode(Mode::Require), host)
        }
        "ssl" | "sasl_ssl" => ok(format!("encrypted and verified, as security.protocol={protocol} and ssl.* say")),
        _ => encryption(&tls.with_mode(Mode::Disable), host),
    })
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
        let tls = |mode| Tls::of(Link::Connect).unwrap().with_mode(mode);
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
