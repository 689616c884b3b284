//! Topics of one table beside or behind each other, and the numbers that they get.

use super::event::customer;
use super::{Message, Outcome, World};

/// An update of a customer, newer than all `updates`.
pub fn update(id: &str, name: &str) -> Message {
    customer("u", id, name, 90_000).message()
}

/// Another topic of customers in this world, and a group to read it.
pub struct Other {
    pub table: String,
    pub topic: String,
    pub group: String,
}

/// Creates it, as the topic of the table `customers_<name>`.
pub fn other(world: &World, name: &str, partitions: i32) -> Other {
    let table = format!("customers_{name}");
    world.create_topic_of(&table, partitions, &[]);
    Other { topic: world.topic_of(&table), group: format!("{}.{name}", world.group), table }
}

impl Other {
    pub fn ingest(&self, world: &World, args: &[&str]) -> Outcome {
        world.ingest_from(&self.topic, &self.group, args)
    }
}

pub fn generation(outcome: &Outcome) -> i64 {
    outcome.summary["plan"]["generation"].as_i64().unwrap_or_else(|| panic!("no generation in {outcome:?}"))
}

pub fn why(outcome: &Outcome) -> &str {
    outcome.summary["plan"]["generation_rose"].as_str().unwrap_or_default()
}

/// Number and topic, as the books have them.
pub fn taken(world: &World) -> String {
    world
        .clickhouse("SELECT generation, topic, partitions FROM northwind_ops.generations ORDER BY target, generation")
        .replace(&world.topic, "A")
}

/// The name that the warehouse shows.
pub fn shown(world: &World, id: &str) -> String {
    world.clickhouse(&format!("SELECT company_name FROM northwind_dw.dim_customers FINAL WHERE customer_id = '{id}'"))
}
