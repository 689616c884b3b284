//! `orders`: who ordered what is delivered when.

use crate::old::rules::{Reference, Rule, Severity, not_negative, require};
use crate::old::{Bpchar, Customers, Date, Decimal, Employees, Int, KeyColumn, KeyPart, Shippers, Table, Text, row};

/// `northwind.public.orders` → `northwind_dw.fact_orders`.
#[derive(Debug)]
pub struct Orders;

impl Table for Orders {
    const SOURCE: &'static str = "orders";
    const TARGET: &'static str = "fact_orders";
    const DDL: &'static str = include_str!("../../clickhouse/init/10_fact_orders.sql");
    const KEY: &'static [KeyColumn] = Order::KEY;
    const REFERENCES: &'static [Reference<Self>] = &[
        Reference::<Self>::to::<Customers>(
            "customer-exists",
            "customer_id",
            "an order without its customer cannot be invoiced, and is in no customer's revenue",
            r#"{"customer_id": "NOONE"}"#,
            |order| order.customer_id.as_ref().map(KeyPart::text),
        ),
        Reference::<Self>::to::<Employees>(
            "employee-exists",
            "employee_id",
            "an order without its employee is in nobody's sales",
            r#"{"employee_id": 99}"#,
            |order| order.employee_id.as_ref().map(KeyPart::text),
        ),
        Reference::<Self>::to::<Shippers>(
            "shipper-exists",
            "ship_via",
            "an order whose shipper is unknown cannot be traced",
            r#"{"ship_via": 99}"#,
            |order| order.ship_via.as_ref().map(KeyPart::text),
        ),
    ];
    const RULES: &'static [Rule<Self>] = &[
        Rule {
            name: "required-after-order",
            severity: Severity::Reject,
            why: "goods that were required before they were ordered make every delivery late",
            example: r#"{"required_date": "1996-07-01"}"#,
            check: |order, _| not_before_order("required_date", order.required_date, order.order_date),
        },
        Rule {
            name: "shipped-after-order",
            severity: Severity::Reject,
            why: "goods that were shipped before they were ordered make delivery times negative",
            example: r#"{"shipped_date": "1996-07-01"}"#,
            check: |order, _| not_before_order("shipped_date", order.shipped_date, order.order_date),
        },
        Rule {
            name: "freight-not-negative",
            severity: Severity::Reject,
            why: "a negative freight lowers the costs of every report above it",
            example: r#"{"freight": -0.01}"#,
            check: |order, _| not_negative("freight", order.freight),
        },
    ];
    type Row = Order<'static>;
}

fn not_before_order(name: &str, date: Option<Date>, order_date: Option<Date>) -> Result<(), String> {
    match date.zip(order_date) {
        Some((date, ordered)) => require(date >= ordered, || format!("{name} {date} is before order_date {ordered}")),
        None => Ok(()),
    }
}

row! {
    /// An order.
    pub struct Order<'a> keyed by OrderKey {
        key { order_id: Int, }
        customer_id: Option<Bpchar<'a>>,
        employee_id: Option<Int>,
        order_date: Option<Date>,
        required_date: Option<Date>,
        shipped_date: Option<Date>,
        ship_via: Option<Int>,
        freight: Option<Decimal>,
        ship_name: Option<Text<'a>>,
        ship_address: Option<Text<'a>>,
        ship_city: Option<Text<'a>>,
        ship_region: Option<Text<'a>>,
        ship_postal_code: Option<Text<'a>>,
        ship_country: Option<Text<'a>>,
    }
}
