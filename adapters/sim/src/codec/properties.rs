//! The property string of a message: `name 0x01 value 0x02 …` (Java: `MessageDecoder`).

/// Ends a name.
pub const NAME_END: char = '\u{1}';
/// Ends a value.
pub const VALUE_END: char = '\u{2}';

/// The entries Java's reader keeps: those with a name and a value, the value being everything after the first 0x01.
pub fn entries(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(VALUE_END)
        .filter_map(|entry| entry.split_once(NAME_END))
        .filter(|(name, value)| !name.is_empty() && !value.is_empty())
}

/// The value of a property.
#[must_use]
pub fn property<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    entries(text).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// Entries joined again; `trailing` says whether the last one is ended too, which depends on the broker's age.
#[must_use]
pub fn join<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>, trailing: bool) -> String {
    let mut text = String::with_capacity(256);
    for (name, value) in entries {
        text.push_str(name);
        text.push(NAME_END);
        text.push_str(value);
        text.push(VALUE_END);
    }
    if !trailing {
        text.pop();
    }
    text
}
