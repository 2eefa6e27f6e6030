//! The one departure of the servers' JSON bodies from the standard that the bench meets: integer keys without quotes.

/// Standard JSON from text in which integer member names may stand bare, as fastjson writes maps with integer keys.
pub fn quote_integer_keys(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    let mut key_may_follow = false;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '"' => string_length(rest),
            '0'..='9' | '-' => rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len()),
            other => other.len_utf8(),
        };
        let (piece, after) = rest.split_at(taken);
        let bare = first.is_ascii_digit() || first == '-';
        if bare && key_may_follow && after.trim_start().starts_with(':') {
            out.extend(["\"", piece, "\""]);
        } else {
            out.push_str(piece);
        }
        if !first.is_whitespace() {
            key_may_follow = matches!(first, '{' | ',');
        }
        rest = after;
    }
    out
}

/// The length of the string literal `text` begins with, quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::quote_integer_keys;

    #[test]
    fn only_bare_keys_change() {
        for (given, wanted) in [
            (r#"{0:"a:1",1:"b"}"#, r#"{"0":"a:1","1":"b"}"#),
            (r#"{"a":[1,2,{-1 : 3}]}"#, r#"{"a":[1,2,{"-1" : 3}]}"#),
            (r#"{"a":"{0:1}\"{1:2}","b":10}"#, r#"{"a":"{0:1}\"{1:2}","b":10}"#),
            (r#"{"0":1}"#, r#"{"0":1}"#),
        ] {
            assert_eq!(quote_integer_keys(given), wanted);
        }
    }
}
