//! `customer_customer_demo`: which kinds a customer is of.

use crate::old::rules::Reference;
use crate::old::{Bpchar, CustomerDemographics, Customers, KeyColumn, KeyPart, Table, row};

/// `northwind.public.customer_customer_demo` → `northwind_dw.dim_customer_customer_demo`.
#[derive(Debug)]
pub struct CustomerCustomerDemo;

impl Table for CustomerCustomerDemo {
    const SOURCE: &'static str = "customer_customer_demo";
    const TARGET: &'static str = "dim_customer_customer_demo";
    const DDL: &'static str = include_str!("../../clickhouse/init/10_dim_customer_customer_demo.sql");
    const KEY: &'static [KeyColumn] = CustomerDemo::KEY;
    const REFERENCES: &'static [Reference<Self>] = &[
        Reference::<Self>::to::<Customers>(
            "customer-exists",
            "customer_id",
            "a kind of nobody",
            r#"{"customer_id": "NOONE"}"#,
            |link| Some(link.customer_id.text()),
        ),
        Reference::<Self>::to::<CustomerDemographics>(
            "demographic-exists",
            "customer_type_id",
            "a kind that nobody has described",
            r#"{"customer_type_id": "NOKIND"}"#,
            |link| Some(link.customer_type_id.text()),
        ),
    ];
    type Row = CustomerDemo<'static>;
}

row! {
    /// A customer is of a kind.
    pub struct CustomerDemo<'a> keyed by CustomerDemoKey {
        key { customer_id: Bpchar<'a>, customer_type_id: Bpchar<'a>, }
    }
}
