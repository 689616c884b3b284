//! `shippers`: who carries.

use crate::old::{Int, KeyColumn, Table, Text, row};

/// `northwind.public.shippers` → `northwind_dw.dim_shippers`.
#[derive(Debug)]
pub struct Shippers;

impl Table for Shippers {
    const SOURCE: &'static str = "shippers";
    const TARGET: &'static str = "dim_shippers";
    const DDL: &'static str = include_str!("../../clickhouse/init/10_dim_shippers.sql");
    const KEY: &'static [KeyColumn] = Shipper::KEY;
    type Row = Shipper<'static>;
}

row! {
    /// A carrier.
    pub struct Shipper<'a> keyed by ShipperKey {
        key { shipper_id: Int, }
        company_name: Text<'a>,
        phone: Option<Text<'a>>,
    }
}
