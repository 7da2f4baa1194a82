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
        let mut canonical = Canonical::default();
        canonical.words("{");
        if let Some(down) = down {
            canonical.words("\"down\":");
            canonical.operations(down);
            canonical.words(",");
        }
        canonical.words("\"up\":");
        canonical.operations(up);
        canonical.words("}");
        Self::of_digest(&canonical.finish())
    }

    /// The checksum of any bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self::of_digest(&Sha256::digest(bytes))
    }

    fn of_digest(digest: &[u8]) -> Self {
        let mut text = String::with_capacity(67);
        text.push_str("v1:");
        for byte in digest {
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

/// Canonical JSON on its way into the hash, an operation at a time: the whole of a large migration would
/// need many times its room.
#[derive(Default)]
struct Canonical {
    hash: Sha256,
    text: Vec<u8>,
}

impl Canonical {
    fn words(&mut self, words: &str) {
        self.text.extend_from_slice(words.as_bytes());
    }

    fn operations(&mut self, operations: &[Operation]) {
        self.words("[");
        for (index, operation) in operations.iter().enumerate() {
            if index > 0 {
                self.words(",");
            }
            let value = serde_json::to_value(operation).unwrap_or(Value::Null);
            write_canonical(&value, &mut self.text);
            self.hash.update(&self.text);
            self.text.clear();
        }
        self.words("]");
    }

    fn finish(mut self) -> [u8; 32] {
        self.hash.update(&self.text);
        self.hash.finalize().into()
    }
}

/// Writes JSON as RFC 8785 has it: no white space, keys in the order of their UTF-16 units, numbers as
/// ECMAScript writes them.
fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => out.extend_from_slice(whole.to_string().as_bytes()),
            (None, Some(float)) => {
                out.extend_from_slice(ryu_js::Buffer::new().format(float).as_bytes());
            }
            (None, None) => out.extend_from_slice(number.to_string().as_bytes()),
        },
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical(item, out);
            }
            out.push(b']');
        }
        Value::Object(object) => {
            // Sorted by bytes is sorted by UTF-16 in ASCII. The map is, unless another crate of the program
            // turned on serde_json's feature preserve_order.
            if object.keys().all(|key| key.is_ascii()) && object.keys().is_sorted() {
                write_entries(object.iter(), out);
            } else {
                let mut entries: Vec<(&String, &Value)> = object.iter().collect();
                entries.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
                write_entries(entries.into_iter(), out);
            }
        }
    }
}

fn write_entries<'v>(entries: impl Iterator<Item = (&'v String, &'v Value)>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (key, value)) in entries.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_text(key, out);
        out.push(b':');
        write_canonical(value, out);
    }
    out.push(b'}');
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    // serde_json escapes exactly what RFC 8785 wants escaped, in the same way; writing to memory
    // does not fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn canonical(value: &Value) -> String {
        let mut out = Vec::new();
        write_canonical(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_checksum_is_that_of_the_whole_canonical_text() {
        let operations = crate::Migration::parse_operations(
            r#"[{"type": "dropCollection", "name": "a"}, {"type": "dropCollection", "name": "b"}]"#,
        )
        .unwrap();
        let (up, down) = operations.split_at(1);
        let text = r#"{"down":[{"name":"b","type":"dropCollection"}],"up":[{"name":"a","type":"dropCollection"}]}"#;
        assert_eq!(
            Checksum::of(up, Some(down)),
            Checksum::of_bytes(text.as_bytes())
        );
        let text =
            r#"{"up":[{"name":"a","type":"dropCollection"},{"name":"b","type":"dropCollection"}]}"#;
        assert_eq!(
            Checksum::of(&operations, None),
            Checksum::of_bytes(text.as_bytes())
        );
    }

    #[test]
    fn the_canonical_form_is_that_of_rfc_8785() {
        let value: Value = serde_json::from_str(
            r#"{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],
                "string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}"#,
        )
        .unwrap();
        let out = canonical(&value);
        assert_eq!(
            out,
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
    }

    #[test]
    fn keys_are_sorted_by_utf16() {
        let value: Value = serde_json::from_str("{\"\u{fb33}\":1,\"\u{1f600}\":2}").unwrap();
        let out = canonical(&value);
        assert!(out.starts_with("{\"\u{1f600}\""), "{out}");
    }
}
