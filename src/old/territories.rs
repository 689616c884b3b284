//! `territories`: where employees work.

use crate::old::rules::Reference;
use crate::old::{Bpchar, Int, KeyColumn, KeyPart, Regions, Table, Text, row};

/// `northwind.public.territories` → `northwind_dw.dim_territories`.
#[derive(Debug)]
pub struct Territories;

impl Table for Territories {
    const SOURCE: &'static str = "territories";
    const TARGET: &'static str = "dim_territories";
    const DDL: &'static str = include_str!("../../clickhouse/init/10_dim_territories.sql");
    const KEY: &'static [KeyColumn] = Territory::KEY;
    const REFERENCES: &'static [Reference<Self>] = &[Reference::<Self>::to::<Regions>(
        "region-exists",
        "region_id",
        "a territory without its region is in no regional report",
        r#"{"region_id": 99}"#,
        |territory| Some(territory.region_id.text()),
    )];
    type Row = Territory<'static>;
}

row! {
    /// A territory.
    pub struct Territory<'a> keyed by TerritoryKey {
        key { territory_id: Text<'a>, }
        territory_description: Bpchar<'a>,
        region_id: Int,
    }
}
