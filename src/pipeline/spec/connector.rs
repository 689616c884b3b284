//! What a pipeline says of its connector.

use crate::pipeline::name::{ConnectorName, SlotName, SourceName};
use crate::pipeline::spec::SourceTable;
use crate::types::connector::{BinaryMode, DecimalMode, TimeMode};

/// What the connector is, and what makes its messages look as they do.
#[derive(Debug, Clone)]
pub struct Connector {
    /// Its name in Kafka Connect.
    pub name: ConnectorName,
    /// The database that it captures.
    pub database: SourceName,
    /// The role it connects as.
    pub role: SourceName,
    /// Its replication slot.
    pub slot: SlotName,
    /// The publication it reads.
    pub publication: SourceName,
    /// The table it writes to, so that the slot moves on while the source is idle.
    pub heartbeat: SourceTable,
    /// The table by which it is asked to send rows again.
    pub signal: SourceTable,
    /// How it sends decimals.
    pub decimal_handling: DecimalMode,
    /// How it sends dates and times.
    pub time_precision: TimeMode,
    /// How it sends bytes.
    pub binary_handling: BinaryMode,
}
