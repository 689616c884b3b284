//! `customers`: who buys.

use crate::old::{Bpchar, KeyColumn, Table, Text, row};

/// `northwind.public.customers` → `northwind_dw.dim_customers`.
#[derive(Debug)]
pub struct Customers;

impl Table for Customers {
    const SOURCE: &'static str = "customers";
    const TARGET: &'static str = "dim_customers";
    const DDL: &'static str = include_str!("../../clickhouse/init/10_dim_customers.sql");
    const KEY: &'static [KeyColumn] = Customer::KEY;
    type Row = Customer<'static>;
}

row! {
    /// A customer.
    pub struct Customer<'a> keyed by CustomerKey {
        key { customer_id: Bpchar<'a>, }
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::old::SourceRow;

    #[test]
    fn a_null_in_a_required_column_is_an_error_that_names_it() {
        let error = serde_json::from_str::<Customer<'_>>(r#"{"customer_id":"X","contact_name":null}"#).unwrap_err();
        assert!(error.to_string().contains("company_name"), "{error}");
    }

    #[test]
    fn a_deleted_row_has_its_key_and_nothing_else() {
        let key = serde_json::from_str::<CustomerKey<'_>>(r#"{"customer_id":"ALFKI ","company_name":""}"#).unwrap();
        let row = Customer::deleted(key);
        assert_eq!(row.key_text(), "ALFKI");
        assert_eq!(row.contact_name, None);
    }
}
