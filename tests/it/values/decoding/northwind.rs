//! The fourteen tables as data: what a pipeline file says of them.

use lockstep::rows::{Column, Schema};
use lockstep::types::{ColumnType, Connector};

const BPCHAR: &str = "bpchar not null";
const INT: &str = "smallint not null";
const INT_NULL: &str = "smallint null";
const TEXT: &str = "text not null";
const TEXT_NULL: &str = "character varying(60) null";
const DATE: &str = "date null";
const REAL: &str = "real not null";
const REAL_NULL: &str = "real null";
const BYTES: &str = "bytea null";

/// A table, the number of columns in its key, which come first, and its columns.
type Declared = (&'static str, usize, &'static [(&'static str, &'static str)]);

pub const TABLES: [Declared; 14] = [
    ("categories", 1, &[("category_id", INT), ("category_name", TEXT), ("description", TEXT_NULL), ("picture", BYTES)]),
    ("customer_demographics", 1, &[("customer_type_id", BPCHAR), ("customer_desc", TEXT_NULL)]),
    (
        "customers",
        1,
        &[
            ("customer_id", BPCHAR),
            ("company_name", TEXT),
            ("contact_name", TEXT_NULL),
            ("contact_title", TEXT_NULL),
            ("address", TEXT_NULL),
            ("city", TEXT_NULL),
            ("region", TEXT_NULL),
            ("postal_code", TEXT_NULL),
            ("country", TEXT_NULL),
            ("phone", TEXT_NULL),
            ("fax", TEXT_NULL),
        ],
    ),
    ("customer_customer_demo", 2, &[("customer_id", BPCHAR), ("customer_type_id", BPCHAR)]),
    (
        "employees",
        1,
        &[
            ("employee_id", INT),
            ("last_name", TEXT),
            ("first_name", TEXT),
            ("title", TEXT_NULL),
            ("title_of_courtesy", TEXT_NULL),
            ("birth_date", DATE),
            ("hire_date", DATE),
            ("address", TEXT_NULL),
            ("city", TEXT_NULL),
            ("region", TEXT_NULL),
            ("postal_code", TEXT_NULL),
            ("country", TEXT_NULL),
            ("home_phone", TEXT_NULL),
            ("extension", TEXT_NULL),
            ("photo", BYTES),
            ("notes", TEXT_NULL),
            ("reports_to", INT_NULL),
            ("photo_path", TEXT_NULL),
        ],
    ),
    ("region", 1, &[("region_id", INT), ("region_description", BPCHAR)]),
    ("territories", 1, &[("territory_id", TEXT), ("territory_description", BPCHAR), ("region_id", INT)]),
    ("employee_territories", 2, &[("employee_id", INT), ("territory_id", TEXT)]),
    ("shippers", 1, &[("shipper_id", INT), ("company_name", TEXT), ("phone", TEXT_NULL)]),
    (
        "suppliers",
        1,
        &[
            ("supplier_id", INT),
            ("company_name", TEXT),
            ("contact_name", TEXT_NULL),
            ("contact_title", TEXT_NULL),
            ("address", TEXT_NULL),
            ("city", TEXT_NULL),
            ("region", TEXT_NULL),
            ("postal_code", TEXT_NULL),
            ("country", TEXT_NULL),
            ("phone", TEXT_NULL),
            ("fax", TEXT_NULL),
            ("homepage", TEXT_NULL),
        ],
    ),
    (
        "products",
        1,
        &[
            ("product_id", INT),
            ("product_name", TEXT),
            ("supplier_id", INT_NULL),
            ("category_id", INT_NULL),
            ("quantity_per_unit", TEXT_NULL),
            ("unit_price", REAL_NULL),
            ("units_in_stock", INT_NULL),
            ("units_on_order", INT_NULL),
            ("reorder_level", INT_NULL),
            ("discontinued", "integer not null"),
        ],
    ),
    (
        "orders",
        1,
        &[
            ("order_id", INT),
            ("customer_id", "bpchar null"),
            ("employee_id", INT_NULL),
            ("order_date", DATE),
            ("required_date", DATE),
            ("shipped_date", DATE),
            ("ship_via", INT_NULL),
            ("freight", REAL_NULL),
            ("ship_name", TEXT_NULL),
            ("ship_address", TEXT_NULL),
            ("ship_city", TEXT_NULL),
            ("ship_region", TEXT_NULL),
            ("ship_postal_code", TEXT_NULL),
            ("ship_country", TEXT_NULL),
        ],
    ),
    (
        "order_details",
        2,
        &[("order_id", INT), ("product_id", INT), ("unit_price", REAL), ("quantity", INT), ("discount", REAL)],
    ),
    (
        "us_states",
        1,
        &[("state_id", INT), ("state_name", TEXT_NULL), ("state_abbr", TEXT_NULL), ("state_region", TEXT_NULL)],
    ),
];

pub fn schema(table: &str) -> Schema {
    let (_, key, columns) = TABLES.iter().find(|(name, ..)| *name == table).expect("a table of Northwind");
    let column = |(name, declared): &(&str, &str)| {
        let kept_as = declared.starts_with("real").then_some("Decimal(18, 4)");
        let column_type = ColumnType::parse(declared, kept_as, &Connector::default()).expect("a type");
        Column { name: (*name).to_owned(), was: None, column_type }
    };
    let names: Vec<&str> = columns[..*key].iter().map(|(name, _)| *name).collect();
    Schema::new(table, columns.iter().map(column).collect(), &names, Vec::new()).expect("a schema")
}
