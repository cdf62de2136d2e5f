//! Lengths of time as people write them. Pure.

use std::time::Duration;

/// Units of a duration and their length in milliseconds, the longest spelling first.
const UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// A duration such as `500ms`, `5s`, `2m`, `1h30m`; `0` needs no unit.
///
/// # Errors
/// What is wrong with it and what was expected, on one line.
pub fn parse(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err(expected("it is empty"));
    }
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            let c = rest.chars().next().unwrap_or_default();
            return Err(expected(&format!("a number cannot begin with {c:?}")));
        }
        let (number, tail) = rest.split_at(digits);
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(expected(&match unit {
                "" if tail.is_empty() => format!("{number} needs a unit; {number}s is seconds"),
                "" => "fractions and signs are not supported".to_owned(),
                unit => format!("{unit:?} is not a unit"),
            }));
        };
        total = number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(*scale))
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| expected("it is too long"))?;
        rest = tail;
    }
    Ok(Duration::from_millis(total))
}

/// What is wrong, with what was expected.
pub fn expected(why: &str) -> String {
    format!("{why}; expected a duration such as 500ms, 5s, 2m, 1h30m or 1d")
}
