//! One line of a file of vectors.

use bytes::Bytes;
use serde_json::Value;

/// How a vector was settled.
pub(crate) enum Verdict {
    /// This client does what Java does.
    Checked,
    /// Java takes it, this client refuses it, for a reason it states.
    Stricter(&'static str),
    /// This client has nothing to check it with.
    NotCovered(String),
}

pub(crate) type Checked = Result<Verdict, String>;

pub(crate) struct Vector(Value);

impl Vector {
    pub(crate) fn parse(line: &str) -> Result<Self, String> {
        serde_json::from_str(line).map(Self).map_err(|error| error.to_string())
    }

    pub(crate) fn id(&self) -> &str {
        self.0["id"].as_str().unwrap_or("?")
    }

    pub(crate) fn java(&self) -> &str {
        self.0["java"].as_str().unwrap_or("?")
    }

    pub(crate) fn kind(&self) -> &str {
        self.0["kind"].as_str().unwrap_or("?")
    }

    pub(crate) fn has(&self, member: &str) -> bool {
        !self.0[member].is_null()
    }

    /// What went in.
    pub(crate) fn input(&self) -> &Value {
        &self.0["in"]
    }

    /// What Java made of it.
    pub(crate) fn output(&self) -> &Value {
        &self.0["out"]
    }

    /// Whether Java threw.
    pub(crate) fn java_refused(&self) -> bool {
        self.0["out"].get("error").is_some()
    }

    /// Whether Java's order is its accident.
    pub(crate) fn free(&self) -> bool {
        self.0["order"] == "free"
    }

    pub(crate) fn hex(&self) -> Result<Bytes, String> {
        self.bytes("hex")
    }

    pub(crate) fn bytes(&self, member: &str) -> Result<Bytes, String> {
        unhex(self.0[member].as_str().ok_or_else(|| format!("no {member}"))?)
    }

    pub(crate) fn text(&self) -> Result<&str, String> {
        self.0["text"].as_str().ok_or_else(|| "no text".to_owned())
    }
}

pub(crate) fn unhex(text: &str) -> Result<Bytes, String> {
    let digits = text.as_bytes();
    let (pairs, []) = digits.as_chunks::<2>() else { return Err("half a byte".to_owned()) };
    let byte = |pair: &[u8; 2]| {
        let digit = |at: u8| char::from(at).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        Some(digit(pair[0])? << 4 | digit(pair[1])?)
    };
    pairs.iter().map(byte).collect::<Option<Vec<_>>>().map(Bytes::from).ok_or_else(|| "no hexadecimal digits".to_owned())
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

pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, ours: T, java: T) -> Result<(), String> {
    if ours == java { Ok(()) } else { Err(format!("{what}: ours {ours:?}, Java's {java:?}")) }
}
