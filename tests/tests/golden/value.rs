//! Values of recorded files: bytes as hexadecimal digits, maps of texts.

use bytes::Bytes;
use serde_json::Value;

pub(crate) fn unhex(text: &str) -> Result<Bytes, String> {
    let digits = text.as_bytes();
    let (pairs, []) = digits.as_chunks::<2>() else { return Err("half a byte".to_owned()) };
    let byte = |pair: &[u8; 2]| {
        let digit = |at: u8| char::from(at).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        Some(digit(pair[0])? << 4 | digit(pair[1])?)
    };
    pairs
        .iter()
        .map(byte)
        .collect::<Option<Vec<_>>>()
        .map(Bytes::from)
        .ok_or_else(|| "no hexadecimal digits".to_owned())
}

/// The text of a member, where it has one.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// The members of an object of texts; nulls are absent.
pub(crate) fn pairs(value: &Value) -> Vec<(String, String)> {
    let members = value.as_object().into_iter().flatten();
    members.filter_map(|(key, value)| Some((key.clone(), text(value)?))).collect()
}
