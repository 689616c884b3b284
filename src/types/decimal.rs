//! Exact decimals of up to 76 digits, as ClickHouse keeps them: a whole number of 32, 64, 128 or 256 bits, little-endian, and a scale.

use crate::types::digits;

/// The most digits that a Decimal has.
pub const MAX_DIGITS: u32 = 76;
/// Decimal(precision, scale).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    /// Digits.
    pub precision: u32,
    /// Digits behind the point.
    pub scale: u32,
}

/// The unscaled number: 12.5 of scale 2 is 1250.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unscaled {
    negative: bool,
    /// Four limbs, the lowest first.
    limbs: [u64; 4],
}

impl Unscaled {
    /// Of 64 bits.
    pub fn of(number: i64) -> Unscaled {
        Unscaled { negative: number < 0, limbs: [number.unsigned_abs(), 0, 0, 0] }
    }

    /// As 64 bits, if it has no more.
    pub fn to_i64(self) -> Option<i64> {
        let [low, rest @ ..] = self.limbs;
        let number = i64::try_from(low).ok().filter(|_| rest == [0; 3])?;
        Some(if self.negative { -number } else { number })
    }

    fn times_ten_plus(&mut self, digit: u64) {
        let mut carry = u128::from(digit);
        for limb in &mut self.limbs {
            let wide = u128::from(*limb) * 10 + carry;
            *limb = wide as u64;
            carry = wide >> 64;
        }
    }

    fn bytes(self) -> [u8; 32] {
        let mut out = [0; 32];
        let mut carry = self.negative;
        for (limb, chunk) in self.limbs.iter().zip(out.chunks_exact_mut(8)) {
            let value = if self.negative {
                let (value, overflows) = (!limb).overflowing_add(u64::from(carry));
                carry = overflows;
                value
            } else {
                *limb
            };
            chunk.copy_from_slice(&value.to_le_bytes());
        }
        out
    }

    fn read(bytes: &[u8]) -> Unscaled {
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut wide = [if negative { 0xff } else { 0 }; 32];
        wide[..bytes.len()].copy_from_slice(bytes);
        let mut limbs = [0; 4];
        for (limb, chunk) in limbs.iter_mut().zip(wide.as_chunks::<8>().0) {
            *limb = u64::from_le_bytes(*chunk);
        }
        if negative {
            let mut carry = true;
            for limb in &mut limbs {
                let (value, overflows) = (!*limb).overflowing_add(u64::from(carry));
                (*limb, carry) = (value, overflows);
            }
        }
        Unscaled { negative, limbs }
    }

    fn digits(mut self) -> String {
        let mut parts = Vec::new();
        while self.limbs != [0; 4] {
            let mut rest = 0;
            for limb in self.limbs.iter_mut().rev() {
                let wide = (rest << 64) | u128::from(*limb);
                *limb = (wide / 10_u128.pow(18)) as u64;
                rest = wide % 10_u128.pow(18);
            }
            parts.push(rest);
        }
        let first = parts.pop().unwrap_or(0).to_string();
        parts.iter().rev().fold(first, |text, part| text + &format!("{part:018}"))
    }
}

impl Decimal {
    /// Bytes that a value takes.
    pub fn width(self) -> usize {
        match self.precision {
            ..=9 => 4,
            10..=18 => 8,
            19..=38 => 16,
            _ => 32,
        }
    }

    /// Reads `12.50`, `-0.15`, `1.5E+3`; exactly.
    ///
    /// # Errors
    /// It is no number, or has more digits than there is room for.
    pub fn parse(self, text: &str) -> Result<Unscaled, String> {
        let Some((negative, digits, behind)) = digits::parts(text) else { return Err("no decimal number".to_owned()) };
        let zeros = i64::from(self.scale) - behind;
        if digits.is_empty() {
            return Ok(Unscaled::of(0));
        }
        if zeros < 0 {
            return Err(format!("more than {} digits after the point", self.scale));
        }
        if digits.len() as i64 + zeros > i64::from(self.precision) {
            return Err(format!("more than {} digits before the point", self.precision - self.scale));
        }
        let mut number = Unscaled { negative, limbs: [0; 4] };
        let zeros = std::iter::repeat_n(b'0', usize::try_from(zeros).unwrap_or(0));
        digits.bytes().chain(zeros).for_each(|digit| number.times_ten_plus(u64::from(digit - b'0')));
        Ok(number)
    }

    /// Appends a number.
    pub fn write(self, number: Unscaled, out: &mut Vec<u8>) {
        out.extend_from_slice(&number.bytes()[..self.width()]);
    }

    /// Canonical text of a number's bytes: no zeros that say nothing, no exponent.
    pub fn text(self, bytes: &[u8]) -> String {
        let number = Unscaled::read(bytes);
        let digits = format!("{:0>width$}", number.digits(), width = self.scale as usize + 1);
        let (whole, fraction) = digits.split_at(digits.len() - self.scale as usize);
        let sign = if number.negative { "-" } else { "" };
        match fraction.trim_end_matches('0') {
            "" => format!("{sign}{whole}"),
            fraction => format!("{sign}{whole}.{fraction}"),
        }
    }

    /// Bytes that compare as numbers do.
    pub fn sort_key(self, bytes: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend(bytes.iter().rev());
        out[start] ^= 0x80;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDE: Decimal = Decimal { precision: 76, scale: 30 };

    fn there_and_back(decimal: Decimal, text: &str) -> Result<String, String> {
        let mut bytes = Vec::new();
        decimal.write(decimal.parse(text)?, &mut bytes);
        assert_eq!(bytes.len(), decimal.width());
        Ok(decimal.text(&bytes))
    }

    #[test]
    fn a_decimal_is_its_digits() {
        let wide = "1234567890123456789012345678901234567890123456.12345678901234567890123456789";
        for text in
            [wide, &format!("-{wide}"), "0", "-0.000000000000000000000000000001", "1000", "-18446744073709551616"]
        {
            assert_eq!(there_and_back(WIDE, text).as_deref(), Ok(text));
        }
        let small = Decimal { precision: 9, scale: 2 };
        for (text, canonical) in [
            ("12.50", "12.5"),
            ("1.5E+3", "1500"),
            ("-0.00", "0"),
            ("9999999.99", "9999999.99"),
            ("-0.01", "-0.01"),
            ("100e-2", "1"),
        ] {
            assert_eq!(there_and_back(small, text).as_deref(), Ok(canonical));
            assert_eq!(digits::canonical(text).as_deref(), Ok(canonical));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_not_rounded() {
        let small = Decimal { precision: 4, scale: 2 };
        assert_eq!(there_and_back(small, "0.123").unwrap_err(), "more than 2 digits after the point");
        assert_eq!(there_and_back(small, "100").unwrap_err(), "more than 2 digits before the point");
        for text in ["NaN", "", ".", "1,5", "1e", "--1", "1e99999999999"] {
            assert!(there_and_back(small, text).is_err(), "{text}");
        }
    }

    #[test]
    fn sort_keys_compare_as_numbers() {
        let key = |text| {
            let (mut bytes, mut key) = (Vec::new(), Vec::new());
            WIDE.write(WIDE.parse(text).unwrap(), &mut bytes);
            WIDE.sort_key(&bytes, &mut key);
            key
        };
        assert!(key("-10") < key("-9.5") && key("-0.1") < key("0") && key("9") < key("10"));
    }
}
