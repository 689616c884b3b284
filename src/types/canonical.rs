//! What a server answers when it is asked for a value's text ([`ColumnType::in_postgres`], [`ColumnType::in_clickhouse`]) → canonical text.

use serde_json::value::RawValue;

use crate::types::kind::Kind;
use crate::types::write::{Misfit, Written, write_digest, write_text};
use crate::types::{ColumnType, raw, time};

impl ColumnType {
    /// Appends the cell of a server's answer, as an event that brings the value would; `None` is NULL.
    ///
    /// # Errors
    /// As [`ColumnType::canonical`].
    pub fn write_answer(&self, answer: Option<&str>, out: &mut Vec<u8>) -> Result<(), String> {
        let Some(answer) = answer else {
            self.kind.write_null(out);
            return Ok(());
        };
        // A pair has a mark of NULL before each of its parts instead.
        if self.nullable() && !matches!(self.kind, Kind::Digest(_)) {
            out.push(0);
        }
        let written = self.kind.write_answer(answer, out);
        written.map_err(|misfit| self.misfit(answer, misfit))
    }

    fn misfit(&self, answer: &str, misfit: Misfit) -> String {
        match misfit {
            Misfit::Unexpected => format!("{answer} is not {}", self.kind.expected()),
            Misfit::Because(why) => format!("{answer}: {why}"),
        }
    }

    /// Canonical text as people see it, in JSON.
    pub fn as_json(&self, text: &str) -> String {
        self.kind.as_json(text)
    }

    /// The canonical text of a server's answer; the same as [`ColumnType::text`] has of the value.
    ///
    /// # Errors
    /// The warehouse's type cannot hold the value: an event that brings it is refused.
    pub fn canonical(&self, answer: &str) -> Result<String, String> {
        self.kind.canonical(answer).map_err(|misfit| self.misfit(answer, misfit))
    }
}

impl Kind {
    fn write_answer(&self, answer: &str, out: &mut Vec<u8>) -> Written {
        match self {
            Kind::Decimal { .. } | Kind::Numeric(_) => self.write_decimal(answer, out),
            // A `real` is not exact: it is read as an event's number is.
            Kind::Amount(amount) => {
                let number = answer.parse().ok().and_then(|number| amount.of_f64(number));
                number.map(|number| amount.0.write(number, out)).ok_or(Misfit::Unexpected)
            }
            Kind::Digest(_) => {
                let (length, sha256): (i64, String) = serde_json::from_str(answer).map_err(|_| Misfit::Unexpected)?;
                write_digest(length, &sha256, out);
                Ok(())
            }
            Kind::Bits(_) | Kind::Sent | Kind::Hstore | Kind::TstzRange | Kind::Array(_) | Kind::Vector => {
                write_text(&self.canonical(answer)?, out);
                Ok(())
            }
            _ => self.write_str(answer, out).unwrap_or(Err(Misfit::Unexpected)),
        }
    }

    fn canonical(&self, answer: &str) -> Result<String, Misfit> {
        let mut bytes = Vec::new();
        let written = match self {
            Kind::Digest(_) | Kind::Bits(_) | Kind::Sent => return Ok(answer.to_owned()),
            Kind::Hstore => return raw::pairs(answer),
            Kind::TstzRange => return Ok(time::range_in_utc(answer)),
            Kind::Array(element) => return element.canonical_array(answer),
            Kind::Vector => return Kind::Float { single: true }.canonical_array(answer),
            _ => self.write_answer(answer, &mut bytes),
        };
        written?;
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
