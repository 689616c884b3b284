//! Topics, messages, offsets.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Header, Headers, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::{PATIENCE, World, kafka_servers, wait_for};

/// A message to produce.
#[derive(Debug, Clone)]
pub struct Message {
    pub partition: i32,
    pub key: Option<String>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, String)>,
}

impl Message {
    pub fn new(partition: i32, key: &str, value: &str) -> Message {
        Message { partition, key: Some(key.to_owned()), value: Some(value.as_bytes().to_vec()), headers: Vec::new() }
    }

    /// In this partition.
    pub fn at(self, partition: i32) -> Message {
        Message { partition, ..self }
    }
}

/// A record as it stands in the topic.
#[allow(dead_code)] // The recorder of tests/corpus takes all of it, tests its value.
#[derive(Debug, Clone)]
pub struct Received {
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, String)>,
}

impl Received {
    fn of(record: &BorrowedMessage<'_>) -> Received {
        let text = |header: Header<'_, &[u8]>| {
            (header.key.to_owned(), String::from_utf8_lossy(header.value.unwrap_or_default()).into_owned())
        };
        Received {
            offset: record.offset(),
            timestamp: record.timestamp().to_millis().unwrap_or(-1),
            key: record.key().map(<[u8]>::to_vec),
            value: record.payload().map(<[u8]>::to_vec),
            headers: record.headers().map(|headers| headers.iter().map(text).collect()).unwrap_or_default(),
        }
    }
}

impl World {
    pub fn create_topic(&self, partitions: i32, config: &[(&str, &str)]) {
        self.create_topic_of("customers", partitions, config);
    }

    pub fn create_topic_of(&self, table: &str, partitions: i32, config: &[(&str, &str)]) {
        self.create_topic_called(&self.topic_of(table), partitions, config);
    }

    /// Creates a topic of any name.
    pub fn create_topic_called(&self, topic: &str, partitions: i32, config: &[(&str, &str)]) {
        let mut new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1)).set("max.message.bytes", "10485760");
        for (key, value) in config {
            new = new.set(key, value);
        }
        let results = block_on(admin_client().create_topics([&new], &AdminOptions::new())).expect("creating the topic");
        results.into_iter().for_each(|result| {
            result.expect("creating the topic");
        });
        wait_for_topic(topic, Some(partitions));
    }

    pub fn delete_topic(&self) {
        let _ = block_on(admin_client().delete_topics(&[&self.topic], &AdminOptions::new()));
        wait_for_topic(&self.topic, None);
    }

    pub fn add_partitions(&self, total: usize) {
        let more = NewPartitions::new(&self.topic, total);
        block_on(admin_client().create_partitions([&more], &AdminOptions::new())).expect("adding partitions");
        wait_for_topic(&self.topic, Some(total as i32));
    }

    /// Produces messages in order; returns their offsets.
    pub fn produce(&self, messages: &[Message]) -> Vec<i64> {
        self.produce_to("customers", messages)
    }

    /// As `produce`, to another table's topic.
    pub fn produce_to(&self, table: &str, messages: &[Message]) -> Vec<i64> {
        let topic = self.topic_of(table);
        let producer = producer(&[]);
        for message in messages {
            send(&producer, &topic, message);
        }
        producer.flush(PATIENCE).expect("flushing the producer");
        let mut ends: HashMap<i32, i64> = HashMap::new();
        let mut offsets = vec![0; messages.len()];
        for (i, message) in messages.iter().enumerate().rev() {
            let end = ends.entry(message.partition).or_insert_with(|| log_end(&topic, message.partition));
            *end -= 1;
            offsets[i] = *end;
        }
        offsets
    }

    /// Produces to a topic of any name.
    pub fn produce_to_topic(&self, topic: &str, messages: &[Message]) {
        let producer = producer(&[]);
        messages.iter().for_each(|message| send(&producer, topic, message));
        producer.flush(PATIENCE).expect("flushing the producer");
    }

    /// Produces records that are so many hours old.
    pub fn produce_aged(&self, hours_ago: &[i64]) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_millis() as i64;
        let producer = producer(&[]);
        for hours in hours_ago {
            let record: BaseRecord<'_, str, str> =
                BaseRecord::to(&self.topic).payload("{}").timestamp(now - hours * 3_600_000);
            producer.send(record).map_err(|(error, _)| error).expect("sending a record");
        }
        producer.flush(PATIENCE).expect("flushing the producer");
    }

    /// Changes a setting of a topic.
    pub fn set_topic(&self, topic: &str, key: &str, value: &str) {
        let resource = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(key, value);
        let results = block_on(admin_client().alter_configs([&resource], &AdminOptions::new())).expect("a setting");
        results.into_iter().for_each(|result| {
            result.expect("changing a setting of the topic");
        });
    }

    /// Where a partition's log ends.
    pub fn log_end(&self, partition: i32) -> i64 {
        log_end(&self.topic, partition)
    }

    /// Committed offset and metadata of a partition.
    pub fn committed(&self, partition: i32) -> Option<(i64, String)> {
        self.committed_of("customers", partition)
    }

    /// As `committed`, of another table's job.
    pub fn committed_of(&self, table: &str, partition: i32) -> Option<(i64, String)> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", kafka_servers())
            .set("group.id", self.group_of(table))
            .create()
            .expect("a consumer");
        let mut list = rdkafka::TopicPartitionList::new();
        list.add_partition(&self.topic_of(table), partition);
        let list = consumer.committed_offsets(list, Duration::from_secs(10)).expect("committed offsets");
        let element = &list.elements()[0];
        match element.offset() {
            rdkafka::Offset::Offset(offset) => Some((offset, element.metadata().to_owned())),
            _ => None,
        }
    }

    /// Every record of a table's topic, as far as its partition 0 goes now.
    pub fn records_of(&self, table: &str) -> Vec<Received> {
        let (start, end) = watermarks(&self.topic_of(table), 0);
        self.records_within(table, start..end)
    }

    /// The records of some offsets of partition 0 of a table's topic.
    pub fn records_within(&self, table: &str, offsets: std::ops::Range<i64>) -> Vec<Received> {
        let topic = self.topic_of(table);
        let (start, end) = (offsets.start, offsets.end);
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", kafka_servers())
            .set("group.id", "unused")
            .create()
            .expect("a consumer");
        let mut list = rdkafka::TopicPartitionList::new();
        list.add_partition_offset(&topic, 0, rdkafka::Offset::Offset(start)).expect("an offset");
        consumer.assign(&list).expect("assigning the topic");
        let mut records = Vec::new();
        while records.last().map_or(start, |last: &Received| last.offset + 1) < end {
            let record = consumer.poll(PATIENCE).expect("a record in time").expect("a record");
            records.push(Received::of(&record));
        }
        records
    }

    /// Commits an offset with its metadata, as the group of a table's job.
    pub fn commit_of(&self, table: &str, partition: i32, offset: i64, metadata: &str) {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", kafka_servers()).set("group.id", self.group_of(table));
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let mut list = rdkafka::TopicPartitionList::new();
        let topic = self.topic_of(table);
        let mut element = list.add_partition(&topic, partition);
        element.set_offset(rdkafka::Offset::Offset(offset)).expect("an offset");
        element.set_metadata(metadata);
        consumer.commit(&list, rdkafka::consumer::CommitMode::Sync).expect("committing");
    }

    pub fn delete_group(&self) {
        block_on(admin_client().delete_groups(&[&self.group], &AdminOptions::new())).expect("deleting the group");
    }

    /// Deletes every topic of this world.
    pub fn delete_topics(&self) {
        let admin = admin_client();
        let metadata = admin.inner().fetch_metadata(None, Duration::from_secs(10)).expect("metadata");
        let own = format!("{}.", self.name);
        let topics: Vec<&str> =
            metadata.topics().iter().map(|topic| topic.name()).filter(|topic| topic.starts_with(&own)).collect();
        if !topics.is_empty() {
            let _ = block_on(admin.delete_topics(&topics, &AdminOptions::new()));
        }
    }
}

impl World {
    /// Deletes topics whose names are not this world's.
    pub fn delete_topics_called(&self, topics: &[&str]) {
        let _ = block_on(admin_client().delete_topics(topics, &AdminOptions::new()));
    }
}

fn wait_for_topic(topic: &str, partitions: Option<i32>) {
    let admin = admin_client();
    wait_for("the topic's metadata", || {
        let metadata = admin.inner().fetch_metadata(Some(topic), Duration::from_secs(5)).expect("metadata");
        let topic = &metadata.topics()[0];
        let count = (topic.error().is_none()).then(|| topic.partitions().len() as i32).filter(|count| *count > 0);
        count == partitions
    });
}

fn log_end(topic: &str, partition: i32) -> i64 {
    watermarks(topic, partition).1
}

fn watermarks(topic: &str, partition: i32) -> (i64, i64) {
    admin_client().inner().fetch_watermarks(topic, partition, Duration::from_secs(10)).expect("watermarks")
}

pub fn producer(settings: &[(&str, &str)]) -> BaseProducer {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", kafka_servers())
        .set("message.max.bytes", "10485760")
        .set("queue.buffering.max.messages", "1000000")
        .set("linger.ms", "5");
    for (key, value) in settings {
        config.set(*key, *value);
    }
    config.create().expect("a producer")
}

pub fn send(producer: &BaseProducer, topic: &str, message: &Message) {
    let mut headers = OwnedHeaders::new();
    for (key, value) in &message.headers {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    let mut record: BaseRecord<'_, str, [u8]> = BaseRecord::to(topic).partition(message.partition).headers(headers);
    if let Some(key) = &message.key {
        record = record.key(key);
    }
    if let Some(value) = &message.value {
        record = record.payload(value);
    }
    producer.send(record).map_err(|(error, _)| error).expect("producing");
}

fn admin_client() -> AdminClient<DefaultClientContext> {
    ClientConfig::new().set("bootstrap.servers", kafka_servers()).create().expect("an admin client")
}

pub fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}
