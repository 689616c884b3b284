//! `suppliers`: who delivers.

use crate::old::{Int, KeyColumn, Table, Text, row};

/// `northwind.public.suppliers` → `northwind_dw.dim_suppliers`.
#[derive(Debug)]
pub struct Suppliers;

impl Table for Suppliers {
    const SOURCE: &'static str = "suppliers";
    const TARGET: &'static str = "dim_suppliers";
    const DDL: &'static str = include_str!("../../clickhouse/init/10_dim_suppliers.sql");
    const KEY: &'static [KeyColumn] = Supplier::KEY;
    type Row = Supplier<'static>;
}

row! {
    /// A supplier.
    pub struct Supplier<'a> keyed by SupplierKey {
        key { supplier_id: Int, }
        company_name: Text<'a>,
        contact_name: Option<Text<'a>>,
        contact_title: Option<Text<'a>>,
        address: Option<Text<'a>>,
        city: Option<Text<'a>>,
        region: Option<Text<'a>>,
        postal_code: Option<Text<'a>>,
        country: Option<Text<'a>>,
        phone: Option<Text<'a>>,
        fax: Option<Text<'a>>,
        homepage: Option<Text<'a>>,
    }
}
