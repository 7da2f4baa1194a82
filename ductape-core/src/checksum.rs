//! Checksums of migrations, over what was authored and never over file bytes.

use crate::operation::Operation;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt;

/// The checksum of a migration: `v1:` and the SHA-256 of the canonical JSON (RFC 8785) of its `up`
/// and, if it was authored, its `down`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Checksum(String);

impl Checksum {
    /// The checksum of operations and of an authored way back.
    pub fn of(up: &[Operation], down: Option<&[Operation]>) -> Self {
        let mut canonical = String::with_capacity(256);
        canonical.push('{');
        if let Some(down) = down {
            canonical.push_str("\"down\":");
            write_canonical(&to_value(down), &mut canonical);
            canonical.push(',');
        }
        canonical.push_str("\"up\":");
        write_canonical(&to_value(up), &mut canonical);
        canonical.push('}');
        Self::of_bytes(canonical.as_bytes())
    }

    /// The checksum of any bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut text = String::with_capacity(67);
        text.push_str("v1:");
        for byte in Sha256::digest(bytes) {
            for half in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(half), 16).unwrap_or('0'));
            }
        }
        Self(text)
    }

    /// A checksum as a ledger holds it.
    pub fn from_text(text: impl Into<String>) -> Option<Self> {
        let text = text.into();
        let digits = text.strip_prefix("v1:")?;
        (digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit())).then_some(Self(text))
    }

    /// The text: `v1:` and 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn to_value(operations: &[Operation]) -> Value {
    serde_json::to_value(operations).unwrap_or(Value::Null)
}

/// Writes JSON as RFC 8785 has it: no white space, keys in the order of their UTF-16 units, numbers as
/// ECMAScript writes them.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => out.push_str(&whole.to_string()),
            (None, Some(float)) => out.push_str(ryu_js::Buffer::new().format(float)),
            (None, None) => out.push_str(&number.to_string()),
        },
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(object) => {
            let mut entries: Vec<(&String, &Value)> = object.iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(key, out);
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    // serde_json escapes exactly what RFC 8785 wants escaped, in the same way.
    match serde_json::to_string(text) {
        Ok(quoted) => out.push_str(&quoted),
        Err(_) => out.push_str("\"\""),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_canonical_form_is_that_of_rfc_8785() {
        let value: Value = serde_json::from_str(
            r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
                "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#,
        )
        .unwrap();
        let mut out = String::new();
        write_canonical(&value, &mut out);
        assert_eq!(
            out,
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
    }

    #[test]
    fn keys_are_sorted_by_utf16() {
        let value: Value = serde_json::from_str("{\"\u{fb33}\":1,\"\u{1f600}\":2}").unwrap();
        let mut out = String::new();
        write_canonical(&value, &mut out);
        assert!(out.starts_with("{\"\u{1f600}\""), "{out}");
    }
}
