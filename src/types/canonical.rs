//! What a server answers when it is asked for a value's text ([`ColumnType::in_postgres`], [`ColumnType::in_clickhouse`]) → canonical text.

use serde_json::value::RawValue;

use crate::types::kind::Kind;
use crate::types::write::Misfit;
use crate::types::{ColumnType, raw, time};

impl ColumnType {
    /// The canonical text of a server's answer; the same as [`ColumnType::text`] has of the value.
    ///
    /// # Errors
    /// The warehouse's type cannot hold the value: an event that brings it is refused.
    pub fn canonical(&self, answer: &str) -> Result<String, String> {
        self.kind.canonical(answer).map_err(|misfit| match misfit {
            Misfit::Unexpected => format!("{answer} is not {}", self.kind.expected()),
            Misfit::Because(why) => format!("{answer}: {why}"),
        })
    }
}

impl Kind {
    fn canonical(&self, answer: &str) -> Result<String, Misfit> {
        let mut bytes = Vec::new();
        let written = match self {
            Kind::Digest(_) | Kind::Bits(_) | Kind::Sent => return Ok(answer.to_owned()),
            Kind::Hstore => return raw::pairs(answer),
            Kind::TstzRange => return Ok(time::range_in_utc(answer)),
            Kind::Array(element) => return element.canonical_array(answer),
            Kind::Vector => return Kind::Float { single: true }.canonical_array(answer),
            Kind::Decimal { .. } | Kind::Numeric(_) => Some(self.write_decimal(answer, &mut bytes)),
            // A `real` is not exact: it is read as an event's number is.
            Kind::Amount(amount) => {
                let number = answer.parse().ok().and_then(|number| amount.of_f64(number));
                Some(number.map(|number| amount.0.write(number, &mut bytes)).ok_or(Misfit::Unexpected))
            }
            _ => self.write_str(answer, &mut bytes),
        };
        written.unwrap_or(Err(Misfit::Unexpected))?;
        self.text(&bytes, false).map(|text| text.into_owned()).ok_or(Misfit::Unexpected)
    }

    fn canonical_array(&self, answer: &str) -> Result<String, Misfit> {
        let elements: Vec<Option<&RawValue>> = serde_json::from_str(answer).map_err(|_| Misfit::Unexpected)?;
        let mut texts = Vec::with_capacity(elements.len());
        for element in elements {
            let Some(element) = element.map(RawValue::get) else {
                texts.push("null".to_owned());
                continue;
            };
            // Only a pair of length and hash is an array itself.
            if element.starts_with('[') && !matches!(self, Kind::Digest(_)) {
                return Err(Misfit::Because("an array of more than one dimension".to_owned()));
            }
            let text = serde_json::from_str::<String>(element).unwrap_or_else(|_| element.to_owned());
            texts.push(self.as_json(&self.canonical(&text)?));
        }
        Ok(format!("[{}]", texts.join(",")))
    }
}
