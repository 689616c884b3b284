//! Exact numbers of up to 76 digits: an integer and a scale. Rounding is half away from zero, as PostgreSQL's is.

use ethnum::i256;

use crate::rules::types::{Digits, MOST_DIGITS};

/// 10 to the power of `exponent`; `None` beyond what 256 bits hold.
pub(super) fn power(exponent: u32) -> Option<i256> {
    i256::new(10).checked_pow(exponent)
}

/// An unsigned number as SQL writes it: `12`, `12.50`, `.5`, `1.5e-3`. Its unscaled value and its digits.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(text: &str) -> Result<(i256, Digits), String> {
    let not_a_number = || format!("{text} is no decimal number");
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().map_err(|_| not_a_number())?),
        None => (text, 0),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !is_digits(before) || !is_digits(after) || before.len() + after.len() == 0 {
        return Err(not_a_number());
    }
    let too_long = || format!("{text} has more than {MOST_DIGITS} digits");
    let digits = format!("{before}{after}");
    let digits = digits.trim_start_matches('0');
    let scale = after.len() as i64 - i64::from(exponent);
    // An exponent can move the point behind the last digit.
    let zeros = u32::try_from(-scale).unwrap_or(0);
    let scale = u8::try_from(scale.max(0)).ok().filter(|scale| *scale <= MOST_DIGITS).ok_or_else(too_long)?;
    if digits.is_empty() {
        let whole = scale == 0 && !text.contains(['.', 'e', 'E']);
        return Ok((i256::ZERO, Digits { total: scale.max(1), scale, whole }));
    }
    let total = digits.len().saturating_add(zeros as usize);
    if total > usize::from(MOST_DIGITS) {
        return Err(too_long());
    }
    let unscaled = digits.parse::<i256>().ok().zip(power(zeros)).and_then(|(number, by)| number.checked_mul(by));
    let whole = !text.contains(['.', 'e', 'E']);
    Ok((unscaled.ok_or_else(too_long)?, Digits { total: (total as u8).max(scale), scale, whole }))
}

/// As SQL writes it, with all digits of the scale.
pub(super) fn print(unscaled: i256, scale: u8) -> String {
    let digits = format!("{:0>width$}", unscaled.unsigned_abs().to_string(), width = usize::from(scale) + 1);
    let (before, after) = digits.split_at(digits.len() - usize::from(scale));
    let sign = if unscaled < i256::ZERO { "-" } else { "" };
    if after.is_empty() { format!("{sign}{before}") } else { format!("{sign}{before}.{after}") }
}

/// The same number at a greater scale.
pub(super) fn rescale(unscaled: i256, from: u8, to: u8) -> Option<i256> {
    unscaled.checked_mul(power(u32::from(to.saturating_sub(from)))?)
}

/// Rounded to `digits` after the point (before it, if negative); the result's scale is `digits`, or 0.
pub(super) fn round(unscaled: i256, scale: u8, digits: i16) -> Option<i256> {
    let dropped = u32::try_from(i16::from(scale) - digits).unwrap_or(0);
    let Some(step) = power(dropped) else { return Some(i256::ZERO) };
    let half_away = divide_half_away(unscaled, step)?;
    let restored = u32::try_from(-digits).unwrap_or(0);
    half_away.checked_mul(power(restored).unwrap_or(i256::ZERO))
}

/// `a / b` at scale `digits`, half away from zero; `a` and `b` have these scales. `None` if `b` is 0.
pub(super) fn divide(a: i256, a_scale: u8, b: i256, b_scale: u8, digits: u8) -> Option<i256> {
    let shift = i16::from(digits) + 1 + i16::from(b_scale) - i16::from(a_scale);
    let by = power(u32::from(shift.unsigned_abs()))?;
    let (a, b) = if shift >= 0 { (a.checked_mul(by)?, b) } else { (a, b.checked_mul(by)?) };
    // Cut one digit behind the last: a cut never makes a half of what is less than one.
    divide_half_away(a.checked_div(b)?, i256::new(10))
}

fn divide_half_away(number: i256, by: i256) -> Option<i256> {
    let quotient = number.checked_div(by)?;
    let rest = number.checked_rem(by)?.unsigned_abs();
    let is_half = rest >= by.unsigned_abs() - rest;
    let away = if number < i256::ZERO { i256::MINUS_ONE } else { i256::ONE };
    if is_half && rest != 0 { quotient.checked_add(away) } else { Some(quotient) }
}

/// The double that lies nearest.
pub(super) fn to_f64(unscaled: i256, scale: u8) -> f64 {
    print(unscaled, scale).parse().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        for (text, printed, total, scale) in [
            ("12", "12", 2, 0),
            ("012.50", "12.50", 4, 2),
            (".5", "0.5", 1, 1),
            ("5.", "5", 1, 0),
            ("1.5e-3", "0.0015", 4, 4),
            ("1e3", "1000", 4, 0),
            ("0.00", "0.00", 2, 2),
        ] {
            let (number, digits) = parse(text).unwrap();
            assert_eq!((print(number, digits.scale).as_str(), digits.total, digits.scale), (printed, total, scale));
        }
        assert!(parse(&"9".repeat(76)).is_ok());
        for text in ["", ".", "1e", "0x1F", "1_000", "1e77", "1e-77", &"9".repeat(77)] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rounding_is_half_away_from_zero() {
        let rounded = |number: i64, scale, digits| round(i256::from(number), scale, digits).unwrap().as_i64();
        assert_eq!((rounded(25, 1, 0), rounded(-25, 1, 0), rounded(35, 1, 0), rounded(-24, 1, 0)), (3, -3, 4, -2));
        assert_eq!(
            (rounded(1449, 0, -2), rounded(1450, 0, -2), rounded(49, 0, -2), rounded(50, 0, -2)),
            (1400, 1500, 0, 100)
        );
        assert_eq!(rounded(1, 0, -100), 0);
        let divided = |a: i64, b: i64, digits| divide(a.into(), 2, b.into(), 0, digits).map(|n| n.as_i64());
        assert_eq!(
            (divided(980, 3, 2), divided(-980, 3, 2), divided(100, 8, 2), divided(1, 0, 2)),
            (Some(327), Some(-327), Some(13), None)
        );
    }
}
