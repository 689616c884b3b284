//! The tables of the pipeline. Adding one = its row file, its SQL file, one line in [`for_each_table`],
//! one word in the connector; a parity test names whatever is missing.

mod categories;
mod column;
mod customer_customer_demo;
mod customer_demographics;
mod customers;
mod date;
mod employee_territories;
mod employees;
mod noise;
mod number;
mod order_details;
mod orders;
mod picture;
mod products;
mod region;
mod row;
pub mod rules;
mod shippers;
mod suppliers;
mod territories;
mod us_states;

pub use categories::Categories;
pub use column::{Bpchar, KeyPart, Text};
pub use customer_customer_demo::CustomerCustomerDemo;
pub use customer_demographics::CustomerDemographics;
pub use customers::Customers;
pub use date::Date;
pub use employee_territories::EmployeeTerritories;
pub use employees::Employees;
pub use number::{Decimal, Int};
pub use order_details::OrderDetails;
pub use orders::Orders;
pub use picture::Picture;
pub use products::Products;
pub use region::Regions;
pub(crate) use row::row;
pub use row::{KeyColumn, KeyOf, RowKey, RowOf, SourceRow, System, Table, join_key};
pub use shippers::Shippers;
pub use suppliers::Suppliers;
pub use territories::Territories;
pub use us_states::UsStates;

/// Calls a macro with the whole list of tables: the registry. A table stands behind those that it points at.
#[macro_export]
macro_rules! for_each_table {
    ($then:ident) => {
        $then! {
            Categories,
            CustomerDemographics,
            Customers,
            CustomerCustomerDemo,
            Employees,
            Regions,
            Territories,
            EmployeeTerritories,
            Shippers,
            Suppliers,
            Products,
            Orders,
            OrderDetails,
            UsStates,
        }
    };
}
