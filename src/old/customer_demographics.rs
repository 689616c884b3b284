//! `customer_demographics`: kinds of customers.

use crate::old::{Bpchar, KeyColumn, Table, Text, row};

/// `northwind.public.customer_demographics` → `northwind_dw.dim_customer_demographics`.
#[derive(Debug)]
pub struct CustomerDemographics;

impl Table for CustomerDemographics {
    const SOURCE: &'static str = "customer_demographics";
    const TARGET: &'static str = "dim_customer_demographics";
    const DDL: &'static str = include_str!("../../clickhouse/init/10_dim_customer_demographics.sql");
    const KEY: &'static [KeyColumn] = CustomerDemographic::KEY;
    type Row = CustomerDemographic<'static>;
}

row! {
    /// A kind of customers.
    pub struct CustomerDemographic<'a> keyed by CustomerDemographicKey {
        key { customer_type_id: Bpchar<'a>, }
        customer_desc: Option<Text<'a>>,
    }
}
