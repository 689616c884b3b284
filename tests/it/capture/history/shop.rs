//! A shop that works at random: customers, orders and their lines come, change and go, in transactions that end either way. The
//! source's foreign keys decide what is possible; what they refuse is rolled back, as in any shop.

use postgres::Client;

use super::Log;
use crate::support::World;
use crate::support::random::Random;

/// What the source may answer to a statement that chance has made.
const REFUSALS: [&str; 4] = [
    "23503", // a foreign key
    "23505", // a key that exists
    "55P03", // a row that the other session has locked
    "40P01", // a deadlock
];

/// Two sessions: one that is quick, and one that leaves its transactions open for a while, so that its changes come late in the
/// topic with low LSNs.
pub struct Shop {
    quick: Client,
    slow: Client,
    slow_is_open: bool,
    random: Random,
    /// Do keys come with and without the trailing blanks that PostgreSQL does not compare?
    with_blanks: bool,
    log: Log,
}

impl Shop {
    pub fn new(world: &World, seed: u64, with_blanks: bool, log: &Log) -> Shop {
        let session = || {
            let mut client = world.postgres();
            client.batch_execute("SET lock_timeout = '100ms'").unwrap();
            client
        };
        Shop {
            quick: session(),
            slow: session(),
            slow_is_open: false,
            random: Random::new(seed),
            with_blanks,
            log: log.clone(),
        }
    }

    /// A small shop instead of Northwind's: few keys, so that chance meets the same ones again.
    pub fn open(&mut self) {
        self.run(false, "TRUNCATE customers, orders, order_details, customer_customer_demo");
        (0..60).for_each(|_| self.transaction());
        self.close();
    }

    /// Ends what is still open.
    pub fn close(&mut self) {
        if self.slow_is_open {
            self.end_slow();
        }
    }

    /// One statement, or a transaction of several, or a step of the slow session.
    pub fn transaction(&mut self) {
        match self.random.below(10) {
            0 if self.slow_is_open => self.end_slow(),
            0 => {
                self.run(true, "BEGIN");
                self.slow_is_open = true;
                self.statements(true);
            }
            1..=4 => {
                let statement = self.statement(false);
                self.run(false, &statement);
            }
            _ => {
                self.run(false, "BEGIN");
                self.statements(false);
                let end = if self.random.once_in(5) { "ROLLBACK" } else { "COMMIT" };
                self.run(false, end);
            }
        }
    }

    fn end_slow(&mut self) {
        let end = if self.random.once_in(4) { "ROLLBACK" } else { "COMMIT" };
        self.run(true, end);
        self.slow_is_open = false;
    }

    /// Statements of an open transaction; each has a savepoint, and some are taken back.
    fn statements(&mut self, slow: bool) {
        for _ in 0..=self.random.below(5) {
            self.run(slow, "SAVEPOINT s");
            let statement = self.statement(slow);
            let done = self.run(slow, &statement);
            if !done || self.random.once_in(8) {
                self.run(slow, "ROLLBACK TO SAVEPOINT s");
            }
        }
    }

    /// Runs a statement; false if the source refuses it.
    fn run(&mut self, slow: bool, sql: &str) -> bool {
        let client = if slow { &mut self.slow } else { &mut self.quick };
        let refusal = match client.batch_execute(sql) {
            Ok(()) => None,
            Err(error) => {
                let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
                assert!(REFUSALS.contains(&code.as_str()), "{sql}: {error:?}");
                Some(code)
            }
        };
        let session = if slow { "slow:  " } else { "" };
        let note = refusal.as_ref().map(|code| format!(" -- refused: {code}")).unwrap_or_default();
        self.log.say(format!("{session}{sql};{note}"));
        refusal.is_none()
    }

    /// The slow session truncates nothing: look-ups would wait for it, and give up.
    fn statement(&mut self, slow: bool) -> String {
        match self.random.below(150) + if slow { 3 } else { 0 } {
            0 => "TRUNCATE orders, order_details".to_owned(),
            1 => "TRUNCATE order_details".to_owned(),
            2 => "TRUNCATE customers CASCADE".to_owned(),
            3..=42 => self.customer(),
            43..=96 => self.order(),
            _ => self.line(),
        }
    }

    fn customer(&mut self) -> String {
        let (id, other) = (self.customer_id(), self.customer_id());
        let name = self.random.of(&["'one'", "''", "'Köln'", "E'it''s\\t\\\\N'", "'日本'", "'NULL'"]);
        let value = self.random.of(&["NULL", "''", "'x'", "'\"y\"'", "'ż'"]);
        let column = self.random.of(&["contact_name", "city", "region", "fax"]);
        match self.random.below(8) {
            0..=2 => {
                format!("INSERT INTO customers (customer_id, company_name, {column}) VALUES ('{id}', {name}, {value})")
            }
            3 => format!("DELETE FROM customers WHERE customer_id = '{id}'"),
            4 => format!("UPDATE customers SET customer_id = '{other}' WHERE customer_id = '{id}'"),
            5 => format!("UPDATE customers SET {column} = {value}"),
            6 => format!(
                "DELETE FROM customers WHERE customer_id = '{id}'; INSERT INTO customers (customer_id, company_name) VALUES ('{id}', {name})"
            ),
            _ => format!("UPDATE customers SET company_name = {name}, {column} = {value} WHERE customer_id = '{id}'"),
        }
    }

    fn order(&mut self) -> String {
        let (id, other, customer) = (self.order_id(), self.order_id(), self.customer_id());
        let customer = if self.random.once_in(6) { "NULL".to_owned() } else { format!("'{customer}'") };
        let freight = self.random.of(&["NULL", "0", "0.15", "9.8", "140.51", "16777216"]);
        let shipped = self.random.of(&["NULL", "'1996-07-16'", "'2299-12-31'"]);
        match self.random.below(9) {
            0..=3 => format!(
                "INSERT INTO orders (order_id, customer_id, employee_id, order_date, required_date, shipped_date, ship_via, freight, ship_name)
                 VALUES ({id}, {customer}, 5, '1996-07-04', '1996-08-01', {shipped}, 3, {freight}, 'Vins et alcools')"
            ),
            4 => format!("DELETE FROM orders WHERE order_id = {id}"),
            5 => format!("DELETE FROM order_details WHERE order_id = {id}; DELETE FROM orders WHERE order_id = {id}"),
            6 => format!("UPDATE orders SET order_id = {other} WHERE order_id = {id}"),
            7 => format!("UPDATE orders SET customer_id = {customer} WHERE order_id BETWEEN {id} AND {other}"),
            _ => format!("UPDATE orders SET freight = {freight}, shipped_date = {shipped} WHERE order_id = {id}"),
        }
    }

    fn line(&mut self) -> String {
        let (order, other, product) = (self.order_id(), self.order_id(), 1 + self.random.below(4));
        let price = self.random.of(&["0", "14", "9.8", "0.0001", "263.5"]);
        let discount = self.random.of(&["0", "0.05", "0.15", "0.25"]);
        let quantity = 1 + self.random.below(120);
        match self.random.below(9) {
            0..=4 => format!("INSERT INTO order_details VALUES ({order}, {product}, {price}, {quantity}, {discount})"),
            5 => format!("DELETE FROM order_details WHERE order_id = {order} AND product_id = {product}"),
            6 => format!(
                "UPDATE order_details SET order_id = {other} WHERE order_id = {order} AND product_id = {product}"
            ),
            7 => format!("UPDATE order_details SET product_id = 1 + product_id % 7 WHERE order_id = {order}"),
            _ => format!(
                "UPDATE order_details SET quantity = {quantity}, discount = {discount} WHERE order_id = {order}"
            ),
        }
    }

    fn customer_id(&mut self) -> String {
        let blanks = if self.with_blanks { self.random.of(&["", "", "", "  "]) } else { "" };
        format!("C{}{blanks}", self.random.below(8))
    }

    fn order_id(&mut self) -> usize {
        1 + self.random.below(15)
    }
}
