//! Exact numbers of any length, as text.

/// Debezium's text of numbers that are none, and PostgreSQL's.
pub const NOT_FINITE: [(&str, &str); 6] = [
    ("NAN", "NaN"),
    ("POSITIVE_INFINITY", "Infinity"),
    ("NEGATIVE_INFINITY", "-Infinity"),
    ("NaN", "NaN"),
    ("Infinity", "Infinity"),
    ("-Infinity", "-Infinity"),
];

/// Sign, digits without zeros at either end, and how many of them stand behind the point (below zero: zeros that follow).
pub fn parts(text: &str) -> Option<(bool, String, i64)> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = i64::from(exponent.parse::<i32>().ok()?);
    let digits = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let negative = digits.len() < mantissa.len();
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let behind = fraction.len() as i64 - exponent;
    let all = format!("{whole}{fraction}");
    let kept = all.trim_end_matches('0');
    let behind = behind - (all.len() - kept.len()) as i64;
    Some((negative, kept.trim_start_matches('0').to_owned(), behind))
}

/// Significant digits of a number.
pub fn digits(text: &str) -> usize {
    parts(text).map_or(0, |(_, digits, _)| digits.len())
}

/// Canonical text of a number of any length: without zeros that say nothing, and without an exponent; `NaN`, `Infinity`, `-Infinity`.
///
/// # Errors
/// It is no number, or its exponent asks for more digits than PostgreSQL has.
pub fn canonical(text: &str) -> Result<String, String> {
    if let Some((_, name)) = NOT_FINITE.iter().find(|(sent, _)| *sent == text) {
        return Ok((*name).to_owned());
    }
    let (negative, digits, behind) = parts(text).ok_or("no decimal number")?;
    if behind.abs() > 200_000 {
        return Err("an exponent beyond what PostgreSQL has".to_owned());
    }
    if digits.is_empty() {
        return Ok("0".to_owned());
    }
    let sign = if negative { "-" } else { "" };
    let behind = match usize::try_from(behind) {
        Ok(behind) => behind,
        Err(_) => return Ok(format!("{sign}{digits}{}", "0".repeat(behind.unsigned_abs() as usize))),
    };
    let padded = format!("{digits:0>width$}", width = behind + 1);
    let (whole, fraction) = padded.split_at(padded.len() - behind);
    Ok(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// Appends bytes that compare as numbers of any length do, of canonical text; NaN is the greatest, as in PostgreSQL.
pub fn text_sort_key(canonical: &str, out: &mut Vec<u8>) {
    let number = match canonical {
        "NaN" => return out.push(0xff),
        "Infinity" => return out.push(0xfe),
        "-Infinity" => return out.push(0x01),
        "0" => return out.push(0x80),
        number => number,
    };
    let digits = number.trim_start_matches('-');
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let zeros = fraction.len() - fraction.trim_start_matches('0').len();
    // 0.d… × 10^magnitude
    let magnitude = if whole == "0" { -(zeros as i64) } else { whole.len() as i64 };
    let all = format!("{whole}{fraction}");
    let mut key = (magnitude ^ i64::MIN).to_be_bytes().to_vec();
    key.extend(all.trim_matches('0').bytes());
    key.push(0);
    if number.starts_with('-') {
        key.iter_mut().for_each(|byte| *byte = !*byte);
        out.push(0x40);
    } else {
        out.push(0xc0);
    }
    out.extend(key);
}

/// The text of an unscaled number in two's complement, the highest byte first, of any length.
pub fn of_bytes(bytes: &[u8], scale: u32) -> String {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut magnitude: Vec<u8> = bytes.iter().map(|byte| if negative { !byte } else { *byte }).collect();
    if negative {
        for byte in magnitude.iter_mut().rev() {
            let (value, overflows) = byte.overflowing_add(1);
            *byte = value;
            if !overflows {
                break;
            }
        }
        if magnitude.iter().all(|byte| *byte == 0) {
            magnitude.insert(0, 1);
        }
    }
    // Base 10^9, the lowest part first.
    let mut parts: Vec<u64> = Vec::new();
    for byte in magnitude {
        let mut carry = u64::from(byte);
        for part in &mut parts {
            let wide = *part * 256 + carry;
            *part = wide % 1_000_000_000;
            carry = wide / 1_000_000_000;
        }
        if carry > 0 {
            parts.push(carry);
        }
    }
    let digits: String = parts.iter().rev().map(|part| format!("{part:09}")).collect();
    format!("{}{}e-{scale}", if negative { "-" } else { "" }, if digits.is_empty() { "0" } else { &digits })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_an_unscaled_number() {
        for (bytes, scale, text) in [
            (&[0x04, 0xd2][..], 2, "12.34"),
            (&[0xff], 2, "-0.01"),
            (&[0x80], 0, "-128"),
            (&[0x80, 0, 0, 0, 0, 0, 0, 0], 2, "-92233720368547758.08"),
            (&[], 0, "0"),
            (&[1, 0, 0, 0, 0, 0, 0, 0, 0], 0, "18446744073709551616"),
        ] {
            assert_eq!(canonical(&of_bytes(bytes, scale)).as_deref(), Ok(text));
        }
    }
}
