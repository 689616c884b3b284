//! `products`: what is sold.

use crate::old::rules::{Reference, Rule, Severity, not_negative};
use crate::old::{Categories, Decimal, Int, KeyColumn, KeyPart, Suppliers, Table, Text, row};

/// `northwind.public.products` → `northwind_dw.dim_products`.
#[derive(Debug)]
pub struct Products;

impl Table for Products {
    const SOURCE: &'static str = "products";
    const TARGET: &'static str = "dim_products";
    const DDL: &'static str = include_str!("../../clickhouse/init/10_dim_products.sql");
    const KEY: &'static [KeyColumn] = Product::KEY;
    const REFERENCES: &'static [Reference<Self>] = &[
        Reference::<Self>::to::<Suppliers>(
            "supplier-exists",
            "supplier_id",
            "a product without its supplier cannot be ordered again",
            r#"{"supplier_id": 99}"#,
            |product| product.supplier_id.as_ref().map(KeyPart::text),
        ),
        Reference::<Self>::to::<Categories>(
            "category-exists",
            "category_id",
            "a product without its category is in no category's revenue",
            r#"{"category_id": 99}"#,
            |product| product.category_id.as_ref().map(KeyPart::text),
        ),
    ];
    const RULES: &'static [Rule<Self>] = &[
        Rule {
            name: "unit-price-not-negative",
            severity: Severity::Reject,
            why: "a negative list price would be copied into every order line",
            example: r#"{"unit_price": -1}"#,
            check: |product, _| not_negative("unit_price", product.unit_price),
        },
        Rule {
            name: "inventory-not-negative",
            severity: Severity::Reject,
            why: "nobody can have, expect or want less than nothing of a product",
            example: r#"{"units_in_stock": -1}"#,
            check: |product, _| {
                let levels = [
                    ("units_in_stock", product.units_in_stock),
                    ("units_on_order", product.units_on_order),
                    ("reorder_level", product.reorder_level),
                ];
                match levels.iter().find(|(_, level)| level.is_some_and(|level| level < Int(0))) {
                    Some((name, level)) => Err(format!("{name} is {}, below 0", level.map_or(0, |level| level.0))),
                    None => Ok(()),
                }
            },
        },
    ];
    type Row = Product<'static>;
}

row! {
    /// A product.
    pub struct Product<'a> keyed by ProductKey {
        key { product_id: Int, }
        product_name: Text<'a>,
        supplier_id: Option<Int>,
        category_id: Option<Int>,
        quantity_per_unit: Option<Text<'a>>,
        unit_price: Option<Decimal>,
        units_in_stock: Option<Int>,
        units_on_order: Option<Int>,
        reorder_level: Option<Int>,
        discontinued: Int,
    }
}
