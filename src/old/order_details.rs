//! `order_details`: the lines of an order.

use crate::old::rules::{Known, Parent, Reference, Rule, Severity, not_negative, require};
use crate::old::{Decimal, Int, KeyColumn, KeyPart, Orders, Products, Table, row};

/// `northwind.public.order_details` → `northwind_dw.fact_order_details`.
#[derive(Debug)]
pub struct OrderDetails;

/// Positions in `REFERENCES`, and in the facts of each.
const ORDER: usize = 0;
const SHIPPED_DATE: usize = 0;
const PRODUCT: usize = 1;
const DISCONTINUED: usize = 0;
const UNITS_IN_STOCK: usize = 1;
const UNITS_ON_ORDER: usize = 2;
const LIST_PRICE: usize = 3;
const WAREHOUSE_LSN: usize = 0;
const WAREHOUSE_LIST_PRICE: usize = 1;

impl Table for OrderDetails {
    const SOURCE: &'static str = "order_details";
    const TARGET: &'static str = "fact_order_details";
    const DDL: &'static str = include_str!("../../clickhouse/init/10_fact_order_details.sql");
    const KEY: &'static [KeyColumn] = OrderDetail::KEY;
    const REFERENCES: &'static [Reference<Self>] = &[
        Reference::<Self>::to::<Orders>(
            "order-exists",
            "order_id",
            "a line without its order belongs to nobody and is in no report",
            r#"{"order_id": 1}"#,
            |line| Some(line.order_id.text()),
        )
        .with_facts(&["shipped_date"], &[]),
        Reference::<Self>::to::<Products>(
            "product-exists",
            "product_id",
            "a line without its product cannot be named, priced or delivered",
            r#"{"product_id": 999}"#,
            |line| Some(line.product_id.text()),
        )
        .with_facts(&["discontinued", "units_in_stock", "units_on_order", "unit_price"], &["_lsn", "unit_price"]),
    ];
    const RULES: &'static [Rule<Self>] = &[
        Rule {
            name: "quantity-positive",
            severity: Severity::Reject,
            why: "a line is about at least one piece; returns are no order lines",
            example: r#"{"quantity": 0}"#,
            check: |line, _| {
                require(line.quantity > Int(0), || format!("quantity is {}, not above 0", line.quantity.0))
            },
        },
        Rule {
            name: "unit-price-not-negative",
            severity: Severity::Reject,
            why: "a negative price turns revenue into a loss in every sum above it",
            example: r#"{"unit_price": -1.5}"#,
            check: |line, _| not_negative("unit_price", Some(line.unit_price)),
        },
        Rule {
            name: "discount-limit",
            severity: Severity::Reject,
            why: "a discount is a share between 0 and the limit (--discount-limit, 0.25): 25 instead of 0.25 makes negative totals",
            example: r#"{"discount": 1.5}"#,
            check: |line, known| {
                let limit = known.limits.discount;
                require((Decimal(0)..=limit).contains(&line.discount), || {
                    format!("discount is {}, not between 0 and {limit}", line.discount)
                })
            },
        },
        Rule {
            name: "open-line-discontinued",
            severity: Severity::Warn,
            why: "an order that is not shipped yet waits for a product that is sold no more",
            example: r#"{"product_id": 5}"#,
            check: |line, known| match open_line(known) {
                Some(product) => require(product.fact(DISCONTINUED).is_none_or(|text| text == "0"), || {
                    format!(
                        "order {} is not shipped, and product {} is discontinued",
                        line.order_id.0, line.product_id.0
                    )
                }),
                None => Ok(()),
            },
        },
        Rule {
            name: "open-line-inventory",
            severity: Severity::Warn,
            why: "an order that is not shipped yet asks for more than is in stock and on order together",
            example: r#"{"quantity": 500}"#,
            check: |line, known| match open_line(known).and_then(available) {
                Some(available) => require(line.quantity.0 <= available, || {
                    format!(
                        "order {} is not shipped and asks for {} of product {}; in stock and on order are {available}",
                        line.order_id.0, line.quantity.0, line.product_id.0
                    )
                }),
                None => Ok(()),
            },
        },
        Rule {
            name: "list-price",
            severity: Severity::Warn,
            why: "a price that differs from the list price is a discount that nobody sees as one, or a slip",
            example: r#"{"unit_price": 17.5}"#,
            check: |line, known| match list_price_at(known) {
                Some(list) => require(line.unit_price == list, || {
                    format!(
                        "unit_price is {}, the list price of product {} is {list}",
                        line.unit_price, line.product_id.0
                    )
                }),
                None => Ok(()),
            },
        },
    ];
    type Row = OrderDetail<'static>;
}

/// The product of a line whose order is not shipped yet.
fn open_line<'r>(known: &'r Known<'_>) -> Option<&'r Parent> {
    known.parent(ORDER).filter(|order| order.fact(SHIPPED_DATE).is_none()).and_then(|_| known.parent(PRODUCT))
}

fn available(product: &Parent) -> Option<i64> {
    let in_stock: i64 = product.fact(UNITS_IN_STOCK)?.parse().ok()?;
    Some(in_stock + product.fact(UNITS_ON_ORDER).and_then(|text| text.parse::<i64>().ok()).unwrap_or(0))
}

/// The list price when the line was written, if that can be told: the product has not changed since an event that the warehouse
/// has and that is older than the line.
fn list_price_at(known: &Known<'_>) -> Option<Decimal> {
    let product = known.parent(PRODUCT)?;
    let now = Decimal::parse(product.fact(LIST_PRICE)?)?;
    let in_warehouse = Decimal::parse(product.warehouse_fact(WAREHOUSE_LIST_PRICE)?)?;
    let changed: u64 = product.warehouse_fact(WAREHOUSE_LSN)?.parse().ok()?;
    (known.lsn? > changed && now == in_warehouse).then_some(now)
}

row! {
    /// A line of an order.
    pub struct OrderDetail<'a> keyed by OrderDetailKey {
        key { order_id: Int, product_id: Int, }
        unit_price: Decimal,
        quantity: Int,
        discount: Decimal,
    }
}
