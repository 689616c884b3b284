//! The verdict without a server: what look-ups would have said stands in [`LookupResults`].

use std::collections::{HashMap, HashSet};

use super::*;
use crate::cdc::message::Message;
use crate::cdc::{DECODE, Lsn, Truncate, Version};
use crate::rows::Event;

/// A change of a row of `order_details`, with the columns behind the key.
fn message(offset: i64, op: &str, columns: &str) -> Message {
    let key = r#"{"order_id":1,"product_id":2}"#;
    let image = format!(r#"{{"order_id":1,"product_id":2,{columns}}}"#);
    Message::change("order_details", offset, op, key, &image)
}

fn line(offset: i64, quantity: i64) -> Message {
    message(offset, "c", &format!(r#""unit_price":10.0,"quantity":{quantity},"discount":0.0"#))
}

/// What is known of the world: the line's order and product are there, the order is shipped, the product costs 10.
struct World {
    lookups: LookupResults,
    held: HashMap<String, u64>,
    truncates: Truncates,
    args: RuleArgs,
}

const KEY: &str = "1\u{1f}2";

impl World {
    fn new() -> World {
        let mut world = World {
            lookups: LookupResults::default(),
            held: HashMap::new(),
            truncates: Truncates::default(),
            args: RuleArgs { rules: Vec::new(), limits: LimitArgs::default() },
        };
        world.parent("order-exists", "1", &[Some("2024-01-02")], None);
        world.parent("product-exists", "2", &[Some("10"), Some("5"), None, Some("0")], Some(400));
        world
    }

    /// Facts are in the order of the other table's columns.
    fn parent(&mut self, rule: &'static str, key: &str, facts: &[Option<&str>], unchanged_since: Option<u64>) {
        let reference = table().references.iter().find(|reference| reference.rule == rule).unwrap();
        let facts = reference.facts.iter().zip(facts).map(|(fact, text)| fact.cell(*text)).collect();
        let parents = self.lookups.parents.entry(rule).or_default();
        parents.insert(key.to_owned(), Parent { facts, unchanged_since: unchanged_since.map(Lsn) });
    }

    fn without(mut self, rule: &'static str) -> World {
        self.lookups.parents.insert(rule, HashMap::new());
        self
    }

    fn with_rule(mut self, name: &str, severity: crate::pipeline::RuleSeverity) -> World {
        self.args.rules.push((name.to_owned(), severity));
        self
    }

    /// One word for each record: written, or the rule that refuses it; then the rules that were warned of.
    fn validate(&self, messages: &[Message]) -> (Vec<String>, Vec<String>) {
        let batch = self.batch(messages);
        let word = |event: &Event<'_>| match event {
            Event::Rejected(violation, _) => violation.rule.to_owned(),
            Event::Truncate(_) => "truncate".to_owned(),
            _ => "written".to_owned(),
        };
        let warned = batch.warnings.iter().map(|warning| warning.violation.rule.to_owned()).collect();
        (batch.events.iter().map(word).collect(), warned)
    }

    fn batch<'m>(&self, messages: &'m [Message]) -> Batch<'m> {
        let records = messages.iter().map(Message::record).collect();
        let mut batch = Batch::decode(table(), 1, records).unwrap();
        let settings = Settings::new(Pipeline::embedded(), &self.args).unwrap();
        let rules = settings.compiled(Pipeline::embedded(), table()).unwrap();
        let judge = Judge { table: table(), rules: &rules, settings: &settings, lookups: &self.lookups };
        let doubtful: HashSet<String> = judge.doubtful(&batch);
        judge.batch(&mut batch, &doubtful, Doubts::new(self.held.clone(), &self.truncates));
        batch
    }
}

fn table() -> &'static Table {
    Pipeline::embedded().table("order_details").unwrap()
}

fn all(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_good_line_is_written() {
    assert_eq!(World::new().validate(&[line(5, 3)]), (all(&["written"]), Vec::new()));
}

#[test]
fn what_is_not_in_the_source_is_refused() {
    let mut world = World::new();
    world.lookups.missing.insert("order_details", HashSet::from([KEY.to_owned()]));
    assert_eq!(world.validate(&[line(5, 3)]).0, all(&[NOT_IN_POSTGRES]));
    assert_eq!(World::new().without("order-exists").validate(&[line(5, 3)]).0, all(&["order-exists"]));
}

#[test]
fn a_flag_says_what_becomes_of_an_orphan() {
    use crate::pipeline::RuleSeverity::{Off, Warn};
    let orphan = || World::new().without("order-exists");
    let judged = orphan().with_rule("order-exists", Warn).validate(&[line(5, 3)]);
    assert_eq!(judged, (all(&["written"]), all(&["order-exists"])));
    let off = orphan().with_rule("order_details.order-exists", Off).validate(&[line(5, 3)]);
    assert_eq!(off, (all(&["written"]), Vec::new()));
}

#[test]
fn a_warning_hides_no_refusal() {
    use crate::pipeline::RuleSeverity::Warn;
    let both = World::new().without("order-exists").without("product-exists").with_rule("order-exists", Warn);
    assert_eq!(
        both.validate(&[line(5, 3)]),
        (all(&["product-exists"]), Vec::new()),
        "what is refused needs no warning"
    );
}

#[test]
fn what_cannot_win_needs_no_parents() {
    let orphan = || World::new().without("order-exists");
    let delete = || message(9, "d", r#""unit_price":0.0,"quantity":0,"discount":0.0"#);
    assert_eq!(orphan().validate(&[line(5, 3), delete()]).0, all(&["written", "written"]), "deleted later");
    assert_eq!(
        orphan().validate(&[line(5, 3), Message::truncate("order_details", 9)]).0,
        all(&["written", "truncate"]),
        "truncated later"
    );
    let mut held = orphan();
    held.held.insert(KEY.to_owned(), Version::of(1, 7).unwrap().get());
    assert_eq!(held.validate(&[line(5, 3)]).0, all(&["written"]), "the warehouse has a later event");
    assert_eq!(held.validate(&[line(8, 3)]).0, all(&["order-exists"]), "the warehouse has an earlier event");
    let mut gone = orphan();
    gone.truncates.last.push((0, 9));
    gone.truncates.fronts.push((0, Truncate { lsn: Lsn(1), ts_ms: 1 }));
    assert_eq!(gone.validate(&[line(5, 3)]).0, all(&["written"]), "a known truncate has removed it");
}

#[test]
fn a_broken_rule_is_told_with_its_values() {
    let messages = [line(5, 0)];
    let batch = World::new().batch(&messages);
    match &batch.events[0] {
        Event::Rejected(violation, Some(key)) => {
            assert_eq!((violation.rule, key.as_str()), ("quantity-positive", KEY));
            assert_eq!(violation.detail, "quantity is 0; expected quantity > 0");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_limit_can_be_moved() {
    let discounted = || [message(5, "c", r#""unit_price":10.0,"quantity":1,"discount":0.3"#)];
    assert_eq!(World::new().validate(&discounted()).0, all(&["discount-limit"]));
    let mut moved = World::new();
    moved.args.limits.limits.push(("discount".to_owned(), "0.5".to_owned()));
    assert_eq!(moved.validate(&discounted()).0, all(&["written"]));
    for (name, value) in [("discount", "2"), ("discount", "x"), ("nothing", "1")] {
        let args =
            RuleArgs { rules: Vec::new(), limits: LimitArgs { limits: vec![(name.to_owned(), value.to_owned())] } };
        assert!(Settings::new(Pipeline::embedded(), &args).is_err(), "{name}={value}");
    }
}

/// The facts of the order: shipped_date; those of the product in its columns' order: unit_price, units_in_stock, units_on_order, discontinued.
#[test]
fn a_rule_reads_the_rows_that_are_referenced() {
    let mut open = World::new();
    open.parent("order-exists", "1", &[None], None);
    assert_eq!(open.validate(&[line(5, 5)]).1, all(&[]), "five are in stock");
    assert_eq!(open.validate(&[line(5, 6)]).1, all(&["open-line-inventory"]));
    open.parent("product-exists", "2", &[Some("10"), None, None, Some("0")], None);
    assert_eq!(open.validate(&[line(5, 6)]).1, all(&[]), "unknown is no offence");
    open.parent("product-exists", "2", &[Some("10"), Some("not a number"), None, Some("0")], None);
    assert_eq!(open.validate(&[line(5, 6)]).1, all(&[]), "nor is what the type cannot hold");
}

#[test]
fn a_rule_about_the_moment_is_judged_while_the_parent_has_not_changed() {
    let cheap = || [message(5, "c", r#""unit_price":9.0,"quantity":1,"discount":0.0"#)];
    assert_eq!(World::new().validate(&cheap()).1, all(&["list-price"]));
    for since in [None, Some(500), Some(600)] {
        let mut world = World::new();
        world.parent("product-exists", "2", &[Some("10"), Some("5"), None, Some("0")], since);
        assert_eq!(world.validate(&cheap()).1, all(&[]), "{since:?}");
    }
}

#[test]
fn what_cannot_be_decoded_stays_as_it_is() {
    let broken = [message(5, "c", r#""unit_price":10.0,"quantity":"x","discount":0.0"#)];
    assert_eq!(World::new().validate(&broken).0, all(&[DECODE]));
}
