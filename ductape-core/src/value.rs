//! Values of fields as JSON has them, in one form each.

use crate::schema::FieldType;
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Number, Value};

/// The largest whole number that a JSON number carries through every program unharmed: 2^53.
const SAFE_INTEGER: i64 = 1 << 53;

/// The digits that a double carries through every program unharmed.
const SAFE_DIGITS: usize = 15;

/// The value in the one form in which it is kept, if it is a value of the type.
pub(crate) fn canonical(field_type: &FieldType, value: &Value) -> Result<Value, String> {
    let wrong = |what: &str| Err(format!("{value} is not {what}"));
    match field_type {
        FieldType::Smallint => integer(value, i16::MIN.into(), i16::MAX.into()),
        FieldType::Integer => integer(value, i32::MIN.into(), i32::MAX.into()),
        FieldType::Bigint => integer(value, i64::MIN, i64::MAX),
        FieldType::Float => match value {
            Value::Number(number) if number.as_f64().is_some_and(|f| !(f as f32).is_finite()) => {
                wrong("a number that 32 bits hold")
            }
            Value::Number(number) => Ok(canonical_number(number)),
            _ => wrong("a number"),
        },
        FieldType::Double => match value {
            Value::Number(number) => Ok(canonical_number(number)),
            _ => wrong("a number"),
        },
        FieldType::Decimal { precision, scale } => {
            let text = match value {
                Value::Number(number) => number.to_string(),
                Value::String(text) => text.clone(),
                _ => return wrong("a decimal number"),
            };
            let Some(decimal) = Decimal::parse(&text) else {
                return wrong("a decimal number");
            };
            if value.is_f64() && decimal.significant() > SAFE_DIGITS {
                return Err(format!(
                    "{value} has more digits than a JSON number keeps; write it as a text"
                ));
            }
            if let Some(precision) = precision {
                let scale = scale.unwrap_or(0);
                if decimal.fraction.len() > scale as usize
                    || decimal.whole.len() > (*precision - scale.min(*precision)) as usize
                {
                    return Err(format!(
                        "{value} does not fit in decimal({precision},{scale})"
                    ));
                }
            }
            Ok(decimal.to_value())
        }
        FieldType::String { .. } | FieldType::Text if has_nul(value) => {
            Err("the text contains NUL, which most databases cannot store".to_owned())
        }
        FieldType::String { length } => match value {
            Value::String(text) => match length {
                Some(length) if text.chars().count() > *length as usize => {
                    Err(format!("{value} has more than {length} characters"))
                }
                _ => Ok(value.clone()),
            },
            _ => wrong("a text"),
        },
        FieldType::Text => match value {
            Value::String(_) => Ok(value.clone()),
            _ => wrong("a text"),
        },
        FieldType::Boolean => match value {
            Value::Bool(_) => Ok(value.clone()),
            _ => wrong("true or false"),
        },
        FieldType::Date => text_of(value, is_date, "a date: 2024-01-15"),
        FieldType::Time => {
            text_of(value, is_time, "a time: 14:30:52").map(|value| with_seconds(&value))
        }
        FieldType::Datetime => text_of(
            value,
            |text| split_datetime(text).is_some_and(|(d, t)| is_date(d) && is_time(t)),
            "a date and time without offset: 2024-01-15T14:30:52",
        )
        .map(|value| with_seconds(&with_t(&value))),
        FieldType::Timestamp => text_of(
            value,
            |text| timestamp_parts(text).is_some(),
            "a moment with its offset: 2024-01-15T14:30:52Z",
        )
        .map(|value| with_seconds(&with_t(&value))),
        FieldType::Json => Ok(value.clone()),
        FieldType::Uuid => match value {
            Value::String(text) if is_uuid(text) => Ok(Value::String(text.to_lowercase())),
            _ => wrong("a UUID: 123e4567-e89b-12d3-a456-426614174000"),
        },
        FieldType::Enum { values } => match value {
            Value::String(text) if values.contains(text) => Ok(value.clone()),
            _ => Err(format!("{value} is none of: {}", values.join(", "))),
        },
        FieldType::Array { items } => match value {
            Value::Array(list) => list
                .iter()
                .map(|item| canonical(items, item))
                .collect::<Result<Vec<_>, _>>()
                .map(Value::Array),
            _ => wrong("a list"),
        },
        FieldType::Binary { .. } | FieldType::Blob => match value {
            Value::String(text) => match (base64_decode(text), field_type) {
                (None, _) => wrong("bytes as base64"),
                (Some(bytes), FieldType::Binary { length: Some(n) })
                    if bytes.len() > *n as usize =>
                {
                    Err(format!("{} bytes do not fit in {n}", bytes.len()))
                }
                (Some(_), _) => Ok(value.clone()),
            },
            _ => wrong("bytes as base64"),
        },
    }
}

/// The value that stands for nothing in particular.
pub(crate) fn neutral(field_type: &FieldType) -> Value {
    match field_type {
        FieldType::Integer
        | FieldType::Bigint
        | FieldType::Smallint
        | FieldType::Float
        | FieldType::Double
        | FieldType::Decimal { .. } => Value::from(0),
        FieldType::String { .. } | FieldType::Text => Value::from(""),
        FieldType::Boolean => Value::Bool(false),
        FieldType::Date => Value::from("1970-01-01"),
        FieldType::Time => Value::from("00:00:00"),
        FieldType::Datetime => Value::from("1970-01-01T00:00:00"),
        FieldType::Timestamp => Value::from("1970-01-01T00:00:00Z"),
        FieldType::Json => Value::Object(serde_json::Map::new()),
        FieldType::Uuid => Value::from("00000000-0000-0000-0000-000000000000"),
        FieldType::Enum { values } => Value::from(values.first().cloned().unwrap_or_default()),
        FieldType::Array { .. } => Value::Array(Vec::new()),
        FieldType::Binary { .. } | FieldType::Blob => Value::from(""),
    }
}

fn has_nul(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains('\0'))
}

fn integer(value: &Value, least: i64, most: i64) -> Result<Value, String> {
    let number = match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            number
                .as_f64()
                .filter(|f| f.fract() == 0.0 && f.abs() <= SAFE_INTEGER as f64)
                .map(|f| f as i64)
        }),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    match number {
        Some(number) if (least..=most).contains(&number) => {
            Ok(if (-SAFE_INTEGER..=SAFE_INTEGER).contains(&number) {
                Value::from(number)
            } else {
                Value::from(number.to_string())
            })
        }
        _ => Err(format!(
            "{value} is not a whole number from {least} to {most}"
        )),
    }
}

fn canonical_number(number: &Number) -> Value {
    match number.as_f64() {
        Some(float) if float.fract() == 0.0 && float.abs() <= SAFE_INTEGER as f64 => {
            Value::from(float as i64)
        }
        _ => Value::Number(number.clone()),
    }
}

/// A decimal number as digits, without needless zeros.
struct Decimal {
    negative: bool,
    whole: String,
    fraction: String,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (digits, 0),
        };
        if exponent.abs() > 1000 {
            return None;
        }
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let numeric = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() && fraction.is_empty() || !numeric(whole) || !numeric(fraction) {
            return None;
        }
        let mut all = format!("{whole}{fraction}");
        let point = whole.len() as i32 + exponent;
        if point < 0 {
            all = format!("{}{all}", "0".repeat(point.unsigned_abs() as usize));
        }
        let point = point.max(0) as usize;
        if point > all.len() {
            all.push_str(&"0".repeat(point - all.len()));
        }
        let (whole, fraction) = all.split_at(point);
        let whole = whole.trim_start_matches('0').to_owned();
        let fraction = fraction.trim_end_matches('0').to_owned();
        Some(Self {
            negative: negative && !(whole.is_empty() && fraction.is_empty()),
            whole,
            fraction,
        })
    }

    /// How many digits there are between the first and the last that are not zero.
    fn significant(&self) -> usize {
        let all = format!("{}{}", self.whole, self.fraction);
        all.trim_matches('0').len()
    }

    fn to_value(&self) -> Value {
        let sign = if self.negative { "-" } else { "" };
        let whole = if self.whole.is_empty() {
            "0"
        } else {
            &self.whole
        };
        let text = if self.fraction.is_empty() {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{}", self.fraction)
        };
        if self.whole.len() + self.fraction.len() <= SAFE_DIGITS {
            if self.fraction.is_empty() {
                if let Ok(number) = text.parse::<i64>() {
                    return Value::from(number);
                }
            } else if let Some(number) = text.parse().ok().and_then(Number::from_f64) {
                return Value::Number(number);
            }
        }
        Value::String(text)
    }
}

fn text_of(value: &Value, is: impl Fn(&str) -> bool, what: &str) -> Result<Value, String> {
    match value {
        Value::String(text) if is(text) => Ok(value.clone()),
        _ => Err(format!("{value} is not {what}")),
    }
}

fn with_t(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.replacen(' ', "T", 1).replace('z', "Z")),
        other => other.clone(),
    }
}

/// `14:30` is `14:30:00`, also after a date and before an offset.
fn with_seconds(value: &Value) -> Value {
    let Some(text) = value.as_str() else {
        return value.clone();
    };
    let (date, clock) = match text.split_once('T') {
        Some((date, clock)) => (format!("{date}T"), clock),
        None => (String::new(), text),
    };
    let offset = clock.find(['Z', '+', '-']).unwrap_or(clock.len());
    let (time, offset) = clock.split_at(offset);
    if time.len() == "14:30".len() {
        Value::String(format!("{date}{time}:00{offset}"))
    } else {
        value.clone()
    }
}

fn digits(text: &str, count: usize) -> Option<u32> {
    (text.len() == count && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let (Some(year), Some(month), Some(day)) = (
        parts.next().and_then(|p| digits(p, 4)),
        parts.next().and_then(|p| digits(p, 2)),
        parts.next().and_then(|p| digits(p, 2)),
    ) else {
        return false;
    };
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    (1..=days).contains(&day)
}

fn is_time(text: &str) -> bool {
    let (clock, fraction) = match text.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (text, None),
    };
    let mut parts = clock.splitn(3, ':');
    let (Some(hour), Some(minute)) = (
        parts.next().and_then(|p| digits(p, 2)),
        parts.next().and_then(|p| digits(p, 2)),
    ) else {
        return false;
    };
    let second = match parts.next() {
        Some(second) => digits(second, 2),
        None if fraction.is_none() => Some(0),
        None => None,
    };
    hour < 24
        && minute < 60
        && second.is_some_and(|second| second < 60)
        && fraction
            .is_none_or(|f| (1..=9).contains(&f.len()) && f.bytes().all(|b| b.is_ascii_digit()))
}

fn split_datetime(text: &str) -> Option<(&str, &str)> {
    text.split_once(['T', ' '])
}

/// A timestamp's date, time and offset in minutes.
fn timestamp_parts(text: &str) -> Option<(&str, &str, i32)> {
    let (date, rest) = split_datetime(text)?;
    let (time, offset) = if let Some(time) = rest.strip_suffix(['Z', 'z']) {
        (time, 0)
    } else {
        let at = rest.rfind(['+', '-'])?;
        let (time, offset) = rest.split_at(at);
        let sign = if offset.starts_with('-') { -1 } else { 1 };
        let offset = offset.get(1..)?;
        let (hours, minutes) = match offset.split_once(':') {
            Some((hours, minutes)) => (digits(hours, 2)?, digits(minutes, 2)?),
            None if offset.len() == 4 => {
                (digits(offset.get(..2)?, 2)?, digits(offset.get(2..)?, 2)?)
            }
            None => (digits(offset, 2)?, 0),
        };
        if hours > 15 || minutes > 59 {
            return None;
        }
        (time, sign * (hours * 60 + minutes) as i32)
    };
    (is_date(date) && is_time(time)).then_some((date, time, offset))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// The bytes of a base64 text (RFC 4648, section 4, with padding), or nothing if it is none.
pub fn base64_decode(text: &str) -> Option<Vec<u8>> {
    BASE64_STANDARD.decode(text).ok()
}

/// Bytes as base64 (RFC 4648, section 4, with padding).
pub fn base64_encode(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

/// A timestamp as its date and time in UTC, `2024-01-15 14:30:52.5`, if it is one.
pub fn timestamp_in_utc(text: &str) -> Option<String> {
    let moment: jiff::Timestamp = text.parse().ok()?;
    let civil = jiff::tz::Offset::UTC.to_datetime(moment);
    Some(format!("{} {}", civil.date(), civil.time()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use serde_json::json;

    #[test]
    fn decimals_have_one_form() {
        let any = FieldType::Decimal {
            precision: None,
            scale: None,
        };
        assert_eq!(any.value(&json!("1.50")).unwrap(), json!(1.5));
        assert_eq!(any.value(&json!("-0.0")).unwrap(), json!(0));
        assert_eq!(any.value(&json!("1e3")).unwrap(), json!(1000));
        assert_eq!(any.value(&json!("1e-3")).unwrap(), json!(0.001));
        assert_eq!(
            any.value(&json!("12345678901234567890.10")).unwrap(),
            json!("12345678901234567890.1")
        );
        let narrow = FieldType::Decimal {
            precision: Some(4),
            scale: Some(2),
        };
        assert!(narrow.value(&json!(12.34)).is_ok());
        assert!(narrow.value(&json!(123.4)).is_err());
        assert!(narrow.value(&json!(1.234)).is_err());
    }

    #[test]
    fn large_integers_keep_every_digit() {
        let big = FieldType::Bigint;
        assert_eq!(
            big.value(&json!(9_007_199_254_740_993_i64)).unwrap(),
            json!("9007199254740993")
        );
        assert_eq!(big.value(&json!("12")).unwrap(), json!(12));
        assert!(FieldType::Smallint.value(&json!(40_000)).is_err());
    }

    #[test]
    fn moments_are_checked_and_moved_to_utc() {
        assert!(
            FieldType::Timestamp
                .value(&json!("2024-02-30T00:00:00Z"))
                .is_err()
        );
        assert!(
            FieldType::Timestamp
                .value(&json!("2024-01-15T14:30:52"))
                .is_err()
        );
        assert_eq!(
            timestamp_in_utc("2024-03-01T00:30:00.250+01:00").unwrap(),
            "2024-02-29 23:30:00.25"
        );
        assert!(
            FieldType::Datetime
                .value(&json!("2024-01-15T14:30:52"))
                .is_ok()
        );
    }

    #[test]
    fn base64_goes_there_and_back() {
        for bytes in [&b""[..], b"a", b"ab", b"abc", &[0, 255, 128, 7]] {
            assert_eq!(base64_decode(&base64_encode(bytes)).unwrap(), bytes);
        }
        assert!(base64_decode("a").is_none());
        assert!(base64_decode("====").is_none());
    }
}
