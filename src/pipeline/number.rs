//! Decimal numbers in the file: compared as they are written, exactly.

use std::cmp::Ordering;

/// Most characters of a number: more digits than any type has.
const LONGEST: usize = 200;

/// A decimal number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    negative: bool,
    /// Without zeros in front.
    whole: String,
    /// Without zeros at the end.
    fraction: String,
}

impl Number {
    /// Reads `-12.50`; no exponents, no signs but `-`.
    pub fn parse(text: &str) -> Option<Number> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return None,
            None => (digits, ""),
        };
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || text.len() > LONGEST || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0').to_owned(), fraction.trim_end_matches('0').to_owned());
        let zero = whole.is_empty() && fraction.is_empty();
        Some(Number { negative: text.starts_with('-') && !zero, whole, fraction })
    }

    fn magnitude(&self) -> (usize, &str, &str) {
        (self.whole.len(), &self.whole, &self.fraction)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.magnitude().cmp(&other.magnitude()),
            (true, true) => other.magnitude().cmp(&self.magnitude()),
            (negative, _) => {
                if negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn numbers_compare_by_value() {
        let sorted = ["-100", "-12.51", "-12.5", "-0.1", "0", "0.05", "0.25", "0.3", "1", "2", "10", "10.01"];
        for pair in sorted.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
        }
        assert_eq!(number("007.50"), number("7.5"));
        assert_eq!(number("-0.0"), number("0"));
    }

    #[test]
    fn what_is_no_plain_number_is_refused() {
        for text in ["", "-", ".5", "5.", "1e3", "+1", "1_000", "NaN", "0x10", " 1", "١", &"9".repeat(201)] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }
}
