//! `employee_territories`: who works where.

use crate::old::rules::Reference;
use crate::old::{Employees, Int, KeyColumn, KeyPart, Table, Territories, Text, row};

/// `northwind.public.employee_territories` → `northwind_dw.dim_employee_territories`.
#[derive(Debug)]
pub struct EmployeeTerritories;

impl Table for EmployeeTerritories {
    const SOURCE: &'static str = "employee_territories";
    const TARGET: &'static str = "dim_employee_territories";
    const DDL: &'static str = include_str!("../../clickhouse/init/10_dim_employee_territories.sql");
    const KEY: &'static [KeyColumn] = EmployeeTerritory::KEY;
    const REFERENCES: &'static [Reference<Self>] = &[
        Reference::<Self>::to::<Employees>(
            "employee-exists",
            "employee_id",
            "a territory of nobody",
            r#"{"employee_id": 99}"#,
            |link| Some(link.employee_id.text()),
        ),
        Reference::<Self>::to::<Territories>(
            "territory-exists",
            "territory_id",
            "an employee works in a territory that is on no map",
            r#"{"territory_id": "00000"}"#,
            |link| Some(link.territory_id.text()),
        ),
    ];
    type Row = EmployeeTerritory<'static>;
}

row! {
    /// An employee works in a territory.
    pub struct EmployeeTerritory<'a> keyed by EmployeeTerritoryKey {
        key { employee_id: Int, territory_id: Text<'a>, }
    }
}
