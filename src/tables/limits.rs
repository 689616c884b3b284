//! The values that rules name.

use crate::pipeline::{self, PipelineSpec};
use crate::rules::{Limit, Type};
use crate::tables::rule_type;
use crate::types::{self, ColumnType};

/// The values that rules name, as the file or a flag has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleLimits(Vec<Limit>);

impl RuleLimits {
    /// As the file has them.
    pub fn of(spec: &PipelineSpec) -> RuleLimits {
        let limit = |limit: &pipeline::Limit| {
            let declared =
                ColumnType::parse(&format!("{} not null", limit.limit_type), None, &types::Connector::default());
            Limit {
                name: limit.name.to_string(),
                ty: declared.map_or(Type::Other(limit.limit_type.to_string()), |declared| rule_type(&declared)),
                value: limit.value.to_string(),
            }
        };
        RuleLimits(spec.limits.iter().map(limit).collect())
    }

    /// Gives one of them another value.
    ///
    /// # Errors
    /// There is no such limit, or the value is no number within its bounds.
    pub fn set(&mut self, spec: &PipelineSpec, name: &str, value: &str) -> Result<(), String> {
        let known = || spec.limits.iter().map(|limit| limit.name.as_str()).collect::<Vec<_>>().join(", ");
        let declared = spec.limits.iter().find(|limit| limit.name.as_str() == name);
        let declared = declared.ok_or_else(|| format!("there is no limit {name}; there are {}", known()))?;
        declared.accepts(value).map_err(|why| format!("{name}={value}: {why}"))?;
        if let Some(limit) = self.0.iter_mut().find(|limit| limit.name == name) {
            value.clone_into(&mut limit.value);
        }
        Ok(())
    }

    /// Name and value of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|limit| (limit.name.as_str(), limit.value.as_str()))
    }

    /// As the rules' reader takes them.
    pub(super) fn declared(&self) -> &[Limit] {
        &self.0
    }
}
