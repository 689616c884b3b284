//! `employees`: who sells.

use crate::old::rules::{Reference, Rule, Severity, require};
use crate::old::{Date, Int, KeyColumn, KeyPart, Picture, Table, Text, row};

/// `northwind.public.employees` → `northwind_dw.dim_employees`.
#[derive(Debug)]
pub struct Employees;

impl Table for Employees {
    const SOURCE: &'static str = "employees";
    const TARGET: &'static str = "dim_employees";
    const DDL: &'static str = include_str!("../../clickhouse/init/10_dim_employees.sql");
    const KEY: &'static [KeyColumn] = Employee::KEY;
    const REFERENCES: &'static [Reference<Self>] = &[Reference::<Self>::to::<Employees>(
        "manager-exists",
        "reports_to",
        "a manager who is not there breaks the chart of the organisation",
        r#"{"reports_to": 99}"#,
        |employee| employee.reports_to.as_ref().map(KeyPart::text),
    )];
    const RULES: &'static [Rule<Self>] = &[
        Rule {
            name: "manager-not-self",
            severity: Severity::Reject,
            why: "whoever walks up the chart of the organisation would never arrive",
            example: r#"{"reports_to": 1}"#,
            check: |employee, _| {
                require(employee.reports_to != Some(employee.employee_id), || {
                    format!("employee {} reports to themselves", employee.employee_id.0)
                })
            },
        },
        Rule {
            name: "hired-after-birth",
            severity: Severity::Reject,
            why: "a slip in one of the two dates makes ages and years of service wrong",
            example: r#"{"hire_date": "1940-01-01"}"#,
            check: |employee, _| match employee.hire_date.zip(employee.birth_date) {
                Some((hired, born)) => {
                    require(hired > born, || format!("hire_date {hired} is not after birth_date {born}"))
                }
                None => Ok(()),
            },
        },
    ];
    type Row = Employee<'static>;
}

row! {
    /// An employee.
    pub struct Employee<'a> keyed by EmployeeKey {
        key { employee_id: Int, }
        last_name: Text<'a>,
        first_name: Text<'a>,
        title: Option<Text<'a>>,
        title_of_courtesy: Option<Text<'a>>,
        birth_date: Option<Date>,
        hire_date: Option<Date>,
        address: Option<Text<'a>>,
        city: Option<Text<'a>>,
        region: Option<Text<'a>>,
        postal_code: Option<Text<'a>>,
        country: Option<Text<'a>>,
        home_phone: Option<Text<'a>>,
        extension: Option<Text<'a>>,
        photo: Picture,
        notes: Option<Text<'a>>,
        reports_to: Option<Int>,
        photo_path: Option<Text<'a>>,
    }
}
