//! `us_states`: the states of the USA.

use crate::old::{Int, KeyColumn, Table, Text, row};

/// `northwind.public.us_states` → `northwind_dw.dim_us_states`.
#[derive(Debug)]
pub struct UsStates;

impl Table for UsStates {
    const SOURCE: &'static str = "us_states";
    const TARGET: &'static str = "dim_us_states";
    const DDL: &'static str = include_str!("../../clickhouse/init/10_dim_us_states.sql");
    const KEY: &'static [KeyColumn] = UsState::KEY;
    type Row = UsState<'static>;
}

row! {
    /// A state of the USA.
    pub struct UsState<'a> keyed by UsStateKey {
        key { state_id: Int, }
        state_name: Option<Text<'a>>,
        state_abbr: Option<Text<'a>>,
        state_region: Option<Text<'a>>,
    }
}
