//! A value as RowBinary, from each of the forms in which it may come.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use sha2::{Digest, Sha256};

use crate::types::connector::BinaryMode;
use crate::types::decimal::{Decimal, Unscaled};
use crate::types::kind::Kind;
use crate::types::{digits, time};

/// The largest whole number up to which a double knows every one.
const LARGEST: f64 = (1_u64 << 53) as f64;

/// Why a value was not written.
#[derive(Debug)]
pub enum Misfit {
    /// It is not what the type expects.
    Unexpected,
    /// This.
    Because(String),
}

/// A value, or why not.
pub type Written = Result<(), Misfit>;

impl Kind {
    /// `None`: the type is not sent as a whole number.
    pub(super) fn write_i64(&self, number: i64, out: &mut Vec<u8>) -> Option<Written> {
        Some(match self {
            Kind::Int { width } => {
                let unused = 64 - 8 * *width as u32;
                if number << unused >> unused != number {
                    return Some(Err(Misfit::Unexpected));
                }
                out.extend_from_slice(&number.to_le_bytes()[..*width]);
                Ok(())
            }
            Kind::Amount(amount) => write_units(amount.0, amount.of_i64(number), out),
            Kind::Float { .. } => write_fixed(Some((number as f64).to_le_bytes()), out),
            Kind::Decimal { .. } | Kind::Numeric(_) => self.write_decimal(&number.to_string(), out),
            Kind::Date => write_fixed(time::days(number).map(i32::to_le_bytes), out),
            Kind::Timestamp(unit) => write_number(unit.micros(number).and_then(time::micros), out),
            Kind::Time(unit) => write_number(unit.micros(number).and_then(time::time), out),
            // Debezium clamps what has more than 64 bits.
            Kind::Interval => write_number(Some(number).filter(|it| *it != i64::MAX && *it != i64::MIN), out),
            _ => return None,
        })
    }

    /// A whole number of more than 63 bits.
    pub(super) fn write_u64(&self, number: u64, out: &mut Vec<u8>) -> Option<Written> {
        match self {
            Kind::Float { .. } => self.write_f64(number as f64, out),
            Kind::Decimal { .. } | Kind::Numeric(_) => Some(self.write_decimal(&number.to_string(), out)),
            _ => self.write_i64(0, &mut Vec::new()).map(|_| Err(Misfit::Unexpected)),
        }
    }

    /// `None`: the type is not sent as a number with a fraction.
    pub(super) fn write_f64(&self, number: f64, out: &mut Vec<u8>) -> Option<Written> {
        Some(match self {
            Kind::Int { .. } if number.fract() == 0.0 && number.abs() <= LARGEST => {
                return self.write_i64(number as i64, out);
            }
            Kind::Int { .. } => Err(Misfit::Unexpected),
            Kind::Amount(amount) => write_units(amount.0, amount.of_f64(number), out),
            // Both zeros are equal, in PostgreSQL too.
            Kind::Float { .. } => write_fixed(Some((if number == 0.0 { 0.0 } else { number }).to_le_bytes()), out),
            Kind::Decimal { .. } | Kind::Numeric(_) => {
                let text = number.to_string();
                // Only a number of up to fifteen digits is surely the one that the source has.
                if digits::digits(&text) > f64::DIGITS as usize {
                    let why = "has more digits than a double keeps: set decimal.handling.mode=string";
                    return Some(Err(Misfit::Because(format!("{text} {why}"))));
                }
                self.write_decimal(&text, out)
            }
            _ => return None,
        })
    }

    /// `None`: the type is not sent as a string.
    pub(super) fn write_str(&self, text: &str, out: &mut Vec<u8>) -> Option<Written> {
        Some(match self {
            Kind::Text => write_fitting(Some(text), out),
            Kind::Bpchar => write_fitting(Some(text.trim_end_matches(' ')), out),
            Kind::Int { .. } | Kind::Interval => match text.parse() {
                Ok(number) => return self.write_i64(number, out),
                Err(_) => Err(Misfit::Unexpected),
            },
            Kind::Float { .. } => match text.parse() {
                Ok(number) => return self.write_f64(number, out),
                Err(_) => Err(Misfit::Unexpected),
            },
            Kind::Amount(amount) => write_units(amount.0, amount.of_text(text), out),
            Kind::Decimal { .. } | Kind::Numeric(_) => self.write_decimal(text, out),
            Kind::Bool => {
                let value = match text {
                    "true" => Some([1]),
                    "false" => Some([0]),
                    _ => None,
                };
                write_fixed(value, out)
            }
            Kind::Date => write_fixed(time::days_of(text).map(i32::to_le_bytes), out),
            Kind::Timestamp(_) | Kind::TimestampTz => write_number(time::micros_of(text), out),
            Kind::Time(_) => write_number(text.parse().ok().and_then(time::time).or_else(|| time::time_of(text)), out),
            Kind::TimeTz => write_fitting(Some(text).filter(|text| time::is_utc_time(text)), out),
            Kind::Uuid => {
                let pair = uuid::Uuid::try_parse(text).ok().map(|uuid| uuid.as_u64_pair());
                write_fixed(pair.map(|(high, _)| high.to_le_bytes()), out)
                    .and_then(|()| write_fixed(pair.map(|(_, low)| low.to_le_bytes()), out))
            }
            Kind::Digest(mode) => decode_bytes(*mode, text).map(|bytes| {
                let sha256 = hex::encode(Sha256::digest(&bytes));
                write_digest(bytes.len() as i64, &sha256, out);
            }),
            Kind::Bits(length) => {
                let bits = STANDARD.decode(text).ok().and_then(|bytes| bits(&bytes, *length));
                write_fitting(bits.as_deref(), out)
            }
            _ => return None,
        })
    }

    /// The text of an exact number.
    pub(super) fn write_decimal(&self, text: &str, out: &mut Vec<u8>) -> Written {
        match self {
            Kind::Decimal { kept, .. } => write_units(*kept, kept.parse(text).ok(), out),
            _ => write_fitting(digits::canonical(text).ok().as_deref(), out),
        }
    }

    /// NULL of a nullable column.
    pub(super) fn write_null(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if matches!(self, Kind::Digest(_)) { &[1, 1] } else { &[1] });
    }
}

fn write_fixed<const N: usize>(bytes: Option<[u8; N]>, out: &mut Vec<u8>) -> Written {
    out.extend_from_slice(&bytes.ok_or(Misfit::Unexpected)?);
    Ok(())
}

fn write_number(number: Option<i64>, out: &mut Vec<u8>) -> Written {
    write_fixed(number.map(i64::to_le_bytes), out)
}

fn write_units(decimal: Decimal, number: Option<Unscaled>, out: &mut Vec<u8>) -> Written {
    decimal.write(number.ok_or(Misfit::Unexpected)?, out);
    Ok(())
}

fn write_fitting(text: Option<&str>, out: &mut Vec<u8>) -> Written {
    write_text(text.ok_or(Misfit::Unexpected)?, out);
    Ok(())
}

fn decode_bytes(mode: BinaryMode, text: &str) -> Result<Vec<u8>, Misfit> {
    let decoded = match mode {
        BinaryMode::Bytes | BinaryMode::Base64 => STANDARD.decode(text).map_err(|error| format!("no base64: {error}")),
        BinaryMode::Base64UrlSafe => URL_SAFE.decode(text).map_err(|error| format!("no base64: {error}")),
        BinaryMode::Hex => {
            let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
            let byte = |pair: &[u8; 2]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
            let (pairs, rest) = text.as_bytes().as_chunks::<2>();
            let bytes = pairs.iter().map(byte).collect::<Option<Vec<u8>>>().filter(|_| rest.is_empty());
            bytes.ok_or_else(|| "no hexadecimal digits".to_owned())
        }
    };
    decoded.map_err(Misfit::Because)
}

/// Appends length and SHA-256.
pub fn write_digest(length: i64, sha256: &str, out: &mut Vec<u8>) {
    out.push(0);
    out.extend_from_slice(&length.to_le_bytes());
    out.push(0);
    write_text(sha256, out);
}

/// The lowest byte comes first, and the string's last bit is its lowest.
fn bits(bytes: &[u8], length: usize) -> Option<String> {
    let bit = |n: usize| bytes.get(n / 8).is_some_and(|byte| byte >> (n % 8) & 1 == 1);
    let beyond = (length..bytes.len() * 8).any(bit);
    (!beyond).then(|| (0..length).rev().map(|n| if bit(n) { '1' } else { '0' }).collect())
}

/// Appends a String: its length, its bytes.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    write_length(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

/// Appends a length in LEB128: seven bits a byte, the lowest first.
pub fn write_length(mut length: usize, out: &mut Vec<u8>) {
    while length > 0x7f {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}
