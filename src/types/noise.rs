//! Binary floating-point numbers in a decimal column, and what their arithmetic leaves behind in them.
//!
//! A `real` keeps six decimal digits, a double fourteen that can be told from its noise: within that many, no other number lies as near as
//! four of the last binary digits. So what is dropped is never a digit that somebody can have written.

use crate::types::decimal::{Decimal, Unscaled};

/// How many of the last binary digits are arithmetic's.
const NOISE: f64 = 4.0;
/// Significant digits behind which a `real`'s noise begins.
const REAL_DIGITS: u32 = 6;
/// The same of a double.
const DOUBLE_DIGITS: u32 = 14;
/// A decimal of up to this many digits is kept by a double; the text of a number that was calculated, or was a `real` before, is longer.
const KEPT_DIGITS: usize = 15;
/// The largest whole number up to which a double knows every one.
const LARGEST: i64 = 1 << 53;

/// The most digits that such a column may have behind the point.
pub const MAX_SCALE: u32 = 15;

/// A decimal column for `real` or `double precision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amount(pub Decimal);

/// A number in units of the column's last digit.
type Units = i64;

impl Amount {
    /// Digits that a value may have before the point.
    pub fn whole_digits(self) -> u32 {
        (self.0.precision - self.0.scale).min(16 - self.0.scale)
    }

    /// The decimal that a floating-point number stands for: its shortest text, less the noise of binary arithmetic. `None` if there are more digits
    /// behind the point for another reason, or the number is too large: a digit that somebody has written is never rounded.
    pub fn of_f64(self, number: f64) -> Option<Unscaled> {
        self.units(number).and_then(|units| self.fitting(units))
    }

    /// Of a whole number.
    pub fn of_i64(self, number: i64) -> Option<Unscaled> {
        self.fitting(number.checked_mul(10_i64.pow(self.0.scale))?)
    }

    /// Of text, exactly.
    pub fn of_text(self, text: &str) -> Option<Unscaled> {
        self.read(text).and_then(|units| self.fitting(units))
    }

    fn fitting(self, units: Units) -> Option<Unscaled> {
        let fits = units.abs() <= LARGEST && units.unsigned_abs() < 10_u64.pow(self.0.precision.min(18));
        fits.then(|| Unscaled::of(units))
    }

    fn units(self, number: f64) -> Option<Units> {
        let nearest = self.nearest(number)?;
        if digits(nearest) <= f64::DIGITS && self.to_f64(nearest) == number {
            return Some(nearest);
        }
        let text = number.to_string();
        self.read(&text).or_else(|| self.without_noise(number, &text))
    }

    fn one(self) -> f64 {
        10_i64.pow(self.0.scale) as f64
    }

    /// The one that lies nearest, however far away.
    fn nearest(self, number: f64) -> Option<Units> {
        let scaled = (number * self.one()).round();
        (scaled.abs() <= LARGEST as f64).then_some(scaled as i64)
    }

    fn to_f64(self, units: Units) -> f64 {
        units as f64 / self.one()
    }

    fn read(self, text: &str) -> Option<Units> {
        let text = Decimal { precision: 18, scale: self.0.scale }.parse(text).ok()?.to_i64()?;
        (text.abs() <= LARGEST).then_some(text)
    }

    /// The decimal that a number was before it was calculated: with four digits, 14.719999 (a `real`) is 14.72, 35.120000000000005 (a double) is 35.12,
    /// 0.15000000596046448 (a `real` that was widened to a double) is 0.15. `text` is the shortest one that means the number. `None` if
    /// there is no such decimal: the digits are meant.
    fn without_noise(self, number: f64, text: &str) -> Option<Units> {
        let nearest = self.nearest(number)?;
        let noise = NOISE * (number.abs().next_up() - number.abs());
        if self.is_noise(number, nearest, noise, DOUBLE_DIGITS) {
            return Some(nearest);
        }
        let real = number as f32;
        let real_text = real.to_string();
        let noise_of_real = NOISE * f64::from(real.abs().next_up() - real.abs());
        let without = self.is_noise(number, nearest, noise_of_real, REAL_DIGITS).then_some(nearest);
        if text == real_text {
            return without;
        }
        let was_widened = (f64::from(real) - number).abs() <= noise;
        let meant = self.read(&real_text).or(without).filter(|_| was_widened)?;
        let is_long = text.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count() > KEPT_DIGITS;
        (is_long || digits(meant) <= REAL_DIGITS).then_some(meant)
    }

    /// Is the number this decimal but for its last binary digits, and are the decimal's own digits above them?
    fn is_noise(self, number: f64, units: Units, noise: f64, most: u32) -> bool {
        digits(units) <= most && (self.to_f64(units) - number).abs() <= noise
    }
}

/// Significant digits.
fn digits(units: Units) -> u32 {
    let mut digits = units.unsigned_abs();
    while digits != 0 && digits.is_multiple_of(10) {
        digits /= 10;
    }
    digits.checked_ilog10().map_or(0, |log| log + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(precision: u32, scale: u32, json: &str) -> Option<String> {
        let amount = Amount(Decimal { precision, scale });
        let number = amount.of_f64(json.parse().unwrap())?;
        let mut bytes = Vec::new();
        amount.0.write(number, &mut bytes);
        Some(amount.0.text(&bytes))
    }

    #[test]
    fn amounts_have_no_float_noise_at_any_scale() {
        assert_eq!(read(18, 4, "14.719999").as_deref(), Some("14.72"));
        assert_eq!(read(9, 2, "35.120000000000005").as_deref(), Some("35.12"));
        assert_eq!(read(18, 6, "0.15000000596046448").as_deref(), Some("0.15"));
        assert_eq!(read(18, 0, "1e15").as_deref(), Some("1000000000000000"));
    }

    #[test]
    fn what_does_not_fit_is_refused_not_rounded() {
        for (precision, scale, json) in
            [(18, 4, "0.00001"), (9, 2, "0.125"), (4, 2, "100"), (18, 4, "1e12"), (18, 0, "0.5")]
        {
            assert_eq!(read(precision, scale, json), None, "{json} in Decimal({precision}, {scale})");
        }
    }
}
