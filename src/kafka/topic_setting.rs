//! What a topic is set to: how long its records are kept, what takes them away.

use std::ffi::{CStr, CString};
use std::time::Duration;

use rdkafka::consumer::Consumer as _;
use rdkafka_sys as sys;

use crate::kafka::Consumer;
use crate::kafka::topic::await_event;

/// It decides how something is said, and nothing waits for it.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A setting of a topic, such as `cleanup.policy`; `None` if there is no such topic, or the brokers do not say (they may want DESCRIBE_CONFIGS).
///
/// `rdkafka`'s DescribeConfigs needs a client of its own; this one asks by the consumer's.
pub fn topic_setting(consumer: &Consumer, topic: &str, setting: &str) -> Option<String> {
    let (topic, setting) = (CString::new(topic).ok()?, CString::new(setting).ok()?);
    let client = consumer.client().native_ptr();
    // SAFETY: the handles are created, used and destroyed here; librdkafka copies the resource; what is read from the event is
    // copied before the event is destroyed.
    unsafe {
        let mut resource =
            sys::rd_kafka_ConfigResource_new(sys::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC, topic.as_ptr());
        let queue = sys::rd_kafka_queue_new(client);
        sys::rd_kafka_DescribeConfigs(client, &mut resource, 1, std::ptr::null(), queue);
        let event = await_event(consumer, queue, TIMEOUT);
        let value = if event.is_null() { None } else { value_in(event, &setting) };
        if !event.is_null() {
            sys::rd_kafka_event_destroy(event);
        }
        sys::rd_kafka_queue_destroy(queue);
        sys::rd_kafka_ConfigResource_destroy(resource);
        value
    }
}

/// # Safety
/// `event` is a live event of DescribeConfigs.
unsafe fn value_in(event: *mut sys::rd_kafka_event_t, setting: &CStr) -> Option<String> {
    // SAFETY: as the caller promises; pointers into the event live as long as the event.
    unsafe {
        let result = sys::rd_kafka_event_DescribeConfigs_result(event);
        if result.is_null() {
            return None;
        }
        let mut count = 0;
        let resources = sys::rd_kafka_DescribeConfigs_result_resources(result, &mut count);
        if count != 1 {
            return None;
        }
        let entries = sys::rd_kafka_ConfigResource_configs(*resources, &mut count);
        let entry = (0..count)
            .map(|i| *entries.add(i))
            .find(|entry| CStr::from_ptr(sys::rd_kafka_ConfigEntry_name(*entry)) == setting)?;
        let value = sys::rd_kafka_ConfigEntry_value(entry);
        (!value.is_null()).then(|| CStr::from_ptr(value).to_string_lossy().into_owned())
    }
}
