//! Does the connector run, and with the settings that the jobs rely on?

use super::encryption::encryption;
use super::report::{DoctorReport, Server};
use super::settings::SETTINGS;
use super::wanted::Wanted;
use crate::health::connect::Connect;
use crate::health::finding::{Finding, ok, warn};
use crate::health::slot::SlotReader;

/// What the other checks need to know of the connector.
#[derive(Debug, Clone)]
pub struct Connector {
    /// Its replication slot.
    pub slot: String,
    /// Its publication.
    pub publication: String,
    /// publication.autocreate.mode
    pub autocreate: String,
    /// How it does as the slot's reader.
    pub reader: SlotReader,
    /// The Kafka cluster that its worker uses.
    pub cluster: String,
}

/// Makes the checks.
pub fn check(report: &DoctorReport, wanted: &Wanted) -> Option<Connector> {
    let put = |check, finding| report.put(Server::Connect, check, finding);
    let skip = |checks: &[&'static str], why| report.skip(Server::Connect, checks, why);
    let none = ["encryption", "connector", "state", "settings"];
    let connect = match Connect::new(&wanted.args.connect, wanted.pipeline) {
        Ok(connect) => connect,
        Err(error) => {
            report.check(Server::Connect, "reachable", Err(error));
            skip(&none, "Kafka Connect cannot be asked");
            return None;
        }
    };
    let worker = match connect.worker() {
        Ok(worker) => worker,
        Err(why) => {
            put("reachable", why);
            skip(&none, "Kafka Connect does not answer");
            return None;
        }
    };
    put("reachable", ok(format!("Kafka Connect {} at {}", worker.version, wanted.args.connect.connect_url)));
    put("encryption", encryption(connect.tls(), host_of(&wanted.args.connect.connect_url)));
    let config = match connect.config() {
        Ok(config) => config,
        Err(why) => {
            put("connector", why);
            skip(&["state", "settings"], "the connector could not be asked");
            return None;
        }
    };
    let text = |key: &str, default: &str| config[key].as_str().unwrap_or(default).to_owned();
    let (database, topics) = (text("database.dbname", "?"), text("topic.prefix", "?"));
    put("connector", ok(format!("{}: database {database}, topics {topics}.*", wanted.args.connect.connector)));
    let runs = put("state", state(&connect));
    let snapshots = runs && connect.is_snapshotting();
    if snapshots {
        put("snapshot", warn("its snapshot is not done yet: topics are not complete", "wait, then run `doctor` again"));
    }
    for setting in SETTINGS {
        put("settings", setting(wanted, &config));
    }
    Some(Connector {
        slot: text("slot.name", "debezium"),
        publication: text("publication.name", "dbz_publication"),
        autocreate: text("publication.autocreate.mode", "all_tables"),
        reader: SlotReader { runs, snapshots },
        cluster: worker.cluster,
    })
}

fn state(connect: &Connect) -> Finding {
    connect.status().map_or_else(|why| why, |status| connect.health(&status))
}

/// The host of an address, as `http://connect:8083`.
fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    authority.rsplit_once(':').map_or(authority, |(host, _)| host)
}
