//! A Kafka of a test's own inside the test's process, librdkafka's mock cluster: replicas that are behind and partitions
//! without a leader, which one real broker cannot show.
//!
//! Not `rdkafka::mocking`: the mock calls its broker 0 the controller, which DescribeTopics asks, and has none unless it is added.

use std::ffi::{CStr, CString};

use rdkafka::producer::{BaseProducer, Producer};
use rdkafka_sys as sys;

use super::{Message, PATIENCE, World, producer, send};

const FETCH: i16 = 1;

/// A mock cluster that a world's jobs read from.
pub struct MockKafka {
    cluster: *mut sys::rd_kafka_mock_cluster_t,
    topic: String,
    /// The cluster lives in one of its threads.
    _client: BaseProducer,
}

impl MockKafka {
    /// Starts brokers 0 to `brokers`, creates the world's topic on them, and sends the world's jobs there.
    pub fn start(world: &mut World, brokers: i32, partitions: i32) -> MockKafka {
        let client = producer(&[]);
        // SAFETY: the cluster is made here, used by this type alone, and destroyed before its client.
        let (cluster, address) = unsafe {
            let cluster = sys::rd_kafka_mock_cluster_new(client.client().native_ptr(), brokers);
            assert!(!cluster.is_null(), "a mock cluster");
            succeeds(sys::rd_kafka_mock_broker_add(cluster, 0));
            // From version 12 on the mock names the new leader, and crashes if there is none.
            succeeds(sys::rd_kafka_mock_set_apiversion(cluster, FETCH, 0, 11));
            (cluster, CStr::from_ptr(sys::rd_kafka_mock_cluster_bootstraps(cluster)).to_string_lossy().into_owned())
        };
        let kafka = MockKafka { cluster, topic: world.topic.clone(), _client: client };
        let topic = kafka.topic();
        succeeds(unsafe { sys::rd_kafka_mock_topic_create(cluster, topic.as_ptr(), partitions, brokers) });
        world.environment.push(("KAFKA_BOOTSTRAP_SERVERS".to_owned(), address));
        kafka
    }

    fn topic(&self) -> CString {
        CString::new(self.topic.as_str()).expect("a name")
    }

    /// Produces messages in batches: a mock broker gives out whole ones, wherever its watermark is.
    pub fn produce(&self, world: &World, messages: &[Message], batch: usize) {
        let address = &world.environment.iter().find(|(name, _)| name == "KAFKA_BOOTSTRAP_SERVERS").expect("set").1;
        let producer = producer(&[("bootstrap.servers", address)]);
        for batch in messages.chunks(batch) {
            batch.iter().for_each(|message| send(&producer, &self.topic, message));
            producer.flush(PATIENCE).expect("flushing the producer");
        }
    }

    /// Makes `broker` lead a partition, or nobody.
    pub fn lead(&self, partition: i32, broker: Option<i32>) {
        let (topic, broker) = (self.topic(), broker.unwrap_or(-1));
        succeeds(unsafe { sys::rd_kafka_mock_partition_set_leader(self.cluster, topic.as_ptr(), partition, broker) });
    }

    /// Sends the readers of a partition to broker 2, a follower whose log goes to `end`.
    pub fn follower_ends_at(&self, partition: i32, end: i64) {
        let topic = self.topic();
        unsafe {
            succeeds(sys::rd_kafka_mock_partition_set_follower_wmarks(self.cluster, topic.as_ptr(), partition, 0, end));
            succeeds(sys::rd_kafka_mock_partition_set_follower(self.cluster, topic.as_ptr(), partition, 2));
        }
    }
}

fn succeeds(result: sys::rd_kafka_resp_err_t) {
    assert_eq!(result, sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR);
}

impl Drop for MockKafka {
    fn drop(&mut self) {
        unsafe { sys::rd_kafka_mock_cluster_destroy(self.cluster) };
    }
}
