//! librdkafka's errors as exit codes.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::exit::Exit;

/// Brokers come back, and then the same command works; a wrong password or topic needs a person.
pub fn exit_of(error: &KafkaError) -> Exit {
    match error {
        KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) => Exit::NeedsPerson,
        _ => match error.rdkafka_error_code() {
            Some(
                Code::UnknownTopic
                | Code::UnknownTopicOrPartition
                | Code::UnknownPartition
                | Code::TopicAuthorizationFailed
                | Code::GroupAuthorizationFailed
                | Code::ClusterAuthorizationFailed
                | Code::SaslAuthenticationFailed
                | Code::Authentication
                | Code::SSL
                | Code::OffsetOutOfRange
                | Code::AutoOffsetReset
                | Code::OffsetMetadataTooLarge
                | Code::UnknownMemberId
                | Code::NotImplemented,
            ) => Exit::NeedsPerson,
            _ => Exit::TryAgain,
        },
    }
}
