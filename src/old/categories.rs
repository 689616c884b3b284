//! `categories`: kinds of goods.

use crate::old::{Int, KeyColumn, Picture, Table, Text, row};

/// `northwind.public.categories` → `northwind_dw.dim_categories`.
#[derive(Debug)]
pub struct Categories;

impl Table for Categories {
    const SOURCE: &'static str = "categories";
    const TARGET: &'static str = "dim_categories";
    const DDL: &'static str = include_str!("../../clickhouse/init/10_dim_categories.sql");
    const KEY: &'static [KeyColumn] = Category::KEY;
    type Row = Category<'static>;
}

row! {
    /// A kind of goods.
    pub struct Category<'a> keyed by CategoryKey {
        key { category_id: Int, }
        category_name: Text<'a>,
        description: Option<Text<'a>>,
        picture: Picture,
    }
}
