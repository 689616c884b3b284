//! `region`: parts of the country.

use crate::old::{Bpchar, Int, KeyColumn, Table, row};

/// `northwind.public.region` → `northwind_dw.dim_regions`.
#[derive(Debug)]
pub struct Regions;

impl Table for Regions {
    const SOURCE: &'static str = "region";
    const TARGET: &'static str = "dim_regions";
    const DDL: &'static str = include_str!("../../clickhouse/init/10_dim_regions.sql");
    const KEY: &'static [KeyColumn] = Region::KEY;
    type Row = Region<'static>;
}

row! {
    /// A part of the country.
    pub struct Region<'a> keyed by RegionKey {
        key { region_id: Int, }
        region_description: Bpchar<'a>,
    }
}
