//! Binary floating-point numbers, and what their arithmetic leaves behind in them.
//!
//! A `real` keeps six decimal digits, a double fourteen that can be told from its noise: within that many, no other number lies as near as
//! four of the last binary digits. So what is dropped is never a digit that somebody can have written.

use crate::old::Decimal;

/// How many of the last binary digits are arithmetic's.
const NOISE: f64 = 4.0;
/// Significant digits behind which a `real`'s noise begins.
const REAL_DIGITS: u32 = 6;
/// The same of a double.
const DOUBLE_DIGITS: u32 = 14;
/// A decimal of up to this many digits is kept by a double; the text of a number that was calculated, or was a `real` before, is longer.
const KEPT_DIGITS: usize = 15;

/// The decimal with at most four digits after the point that a number was before it was calculated: 14.719999 (a `real`) is 14.72,
/// 35.120000000000005 (a double) is 35.12, 0.15000000596046448 (a `real` that was widened to a double) is 0.15. `text` is the shortest one that
/// means the number. `None` if there is no such decimal: the digits are meant.
pub fn without_noise(number: f64, text: &str) -> Option<Decimal> {
    let nearest = Decimal::nearest(number)?;
    let noise = NOISE * (number.abs().next_up() - number.abs());
    if is_noise(number, nearest, noise, DOUBLE_DIGITS) {
        return Some(nearest);
    }
    let real = number as f32;
    let real_text = real.to_string();
    let noise_of_real = NOISE * f64::from(real.abs().next_up() - real.abs());
    let without = is_noise(number, nearest, noise_of_real, REAL_DIGITS).then_some(nearest);
    if text == real_text {
        return without;
    }
    let was_widened = (f64::from(real) - number).abs() <= noise;
    let meant = Decimal::parse(&real_text).or(without).filter(|_| was_widened)?;
    let is_long = text.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0').count() > KEPT_DIGITS;
    (is_long || meant.digits() <= REAL_DIGITS).then_some(meant)
}

/// Is the number this decimal but for its last binary digits, and are the decimal's own digits above them?
fn is_noise(number: f64, decimal: Decimal, noise: f64, digits: u32) -> bool {
    decimal.digits() <= digits && (decimal.to_f64() - number).abs() <= noise
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    use super::*;

    /// What the text of a number is read as.
    fn read(text: &str) -> Option<String> {
        serde_json::from_str::<Decimal>(text).ok().map(|decimal| decimal.to_string())
    }

    /// A decimal: digits, and how many of them stand behind the point.
    fn decimal(digits: i64, scale: usize) -> String {
        let text = format!("{:0>width$}", digits.abs(), width = scale + 1);
        let (whole, fraction) = text.split_at(text.len() - scale);
        let fraction = fraction.trim_end_matches('0');
        let sign = if digits < 0 { "-" } else { "" };
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    fn decimals(text: &str) -> usize {
        text.split_once('.').map_or(0, |(_, fraction)| fraction.len())
    }

    fn whole(text: &str) -> usize {
        text.trim_start_matches('-').split('.').next().map_or(0, str::len)
    }

    fn check<S: Strategy>(cases: u32, strategy: S, law: impl Fn(S::Value)) {
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let held = TestRunner::new(config).run(&strategy, |value| {
            law(value);
            Ok(())
        });
        assert!(held.is_ok(), "{held:?}");
    }

    /// Any magnitude: up to `most` digits, the first of them anywhere.
    fn written(most: u32) -> impl Strategy<Value = String> {
        (1..=most, 0..=11_usize).prop_flat_map(|(digits, scale)| {
            let (first, last) = (10_i64.pow(digits - 1), 10_i64.pow(digits) - 1);
            (first..=last, any::<bool>()).prop_map(move |(n, minus)| decimal(if minus { -n } else { n }, scale))
        })
    }

    #[test]
    fn up_to_four_decimals_are_read_as_they_are_written() {
        check(5_000, written(15), |text| {
            if decimals(&text) <= 4 && whole(&text) <= 11 {
                assert_eq!(read(&text).as_deref(), Some(text.as_str()));
                assert_eq!(read(&format!("\"{text}\"")).as_deref(), Some(text.as_str()));
            }
        });
    }

    /// The whole range of what a double keeps. Only what is the shortest text of a `real`, and that `real` is a number of six digits but
    /// for its last binary ones, is read as that number.
    #[test]
    fn more_decimals_are_refused_and_never_rounded() {
        check(20_000, written(15), |text| {
            if decimals(&text) <= 4 {
                return;
            }
            let Some(found) = read(&text) else { return };
            let (number, meant): (f64, f64) = (text.parse().unwrap(), found.parse().unwrap());
            assert_eq!((number as f32).to_string(), text, "read as {found}, though it is no real's text");
            let digits = found.trim_start_matches('-').replace('.', "");
            assert!(digits.trim_matches('0').len() <= 6, "{text} read as {found}");
            assert!((number - meant).abs() <= number.abs() * f64::from(f32::EPSILON) * 4.0, "{text} read as {found}");
            assert_eq!(read(&format!("\"{text}\"")), None, "a numeric is exact");
        });
    }

    /// As a `real` of the source, as that `real` in a double column, and with the noise of a calculation on either.
    #[test]
    fn six_digits_survive_a_real_and_its_noise() {
        check(5_000, (written(6), -2..=2_i32), |(text, ulps)| {
            if decimals(&text) > 4 {
                return;
            }
            let real: f32 = text.parse().unwrap();
            assert_eq!(read(&f64::from(real).to_string()).as_deref(), Some(text.as_str()), "widened");
            let off = f32::from_bits(real.to_bits().wrapping_add_signed(ulps));
            // Above 512 a binary digit is worth more than half of the last decimal one: such a number is taken as it stands, or refused.
            let expected = match decimals(&off.to_string()) {
                0..=4 => Some(off.to_string()),
                _ if off.abs() < 128.0 => Some(text.clone()),
                _ => read(&off.to_string()).inspect(|found| assert_eq!(*found, text)),
            };
            assert_eq!(read(&off.to_string()), expected, "{text} + {ulps}");
        });
    }

    #[test]
    fn fourteen_digits_survive_a_calculation_with_doubles() {
        check(5_000, (written(14), -2..=2_i64), |(text, ulps)| {
            // A larger one may have noise of half of the last decimal digit: it is refused then.
            if decimals(&text) > 4 || whole(&text) > 9 {
                return;
            }
            let number: f64 = text.parse().unwrap();
            let off = f64::from_bits(number.to_bits().wrapping_add_signed(ulps));
            assert_eq!(read(&off.to_string()).as_deref(), Some(text.as_str()), "{off}");
        });
    }
}
