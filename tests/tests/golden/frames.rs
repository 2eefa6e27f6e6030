//! Frames and headers, both ways.

use bytes::{Bytes, BytesMut};
use fusee_core::wire::{
    Dialect, Fields, Frame, FrameError, Framer, Header, HeaderError, Kind, Language, Text,
};
use serde_json::Value;

use super::vector::{Checked, Vector, Verdict, pairs, same, unhex};

pub(crate) fn header_of(value: &Value) -> Result<Header, String> {
    let int = |member: &str| {
        let number = value[member].as_i64().ok_or_else(|| format!("no {member}"))?;
        i32::try_from(number).map_err(|_| format!("{member} is no int"))
    };
    let ext = &value["ext"];
    let pairs = pairs(ext);
    let borrowed = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    Ok(Header {
        kind: Kind::of(int("flag")?),
        code: int("code")?,
        language: value["language"].as_str().map_or(Language::UNKNOWN, Language::named),
        version: int("version")?,
        opaque: int("opaque")?,
        remark: value["remark"].as_str().map(|remark| Text::from(remark.to_owned())),
        fields: if ext.is_null() { Fields::default() } else { Fields::from_pairs(borrowed) },
    })
}

fn body_of(value: &Value) -> Result<Bytes, String> {
    value["body"].as_str().map_or(Ok(Bytes::new()), unhex)
}

/// Every frame in these bytes, given in one piece or byte by byte, and how it ended.
pub(crate) fn frames(bytes: &Bytes, piece: usize) -> (Vec<Frame>, Option<FrameError>) {
    let mut framer = Framer::default();
    let mut frames = Vec::new();
    for piece in bytes.chunks(piece.max(1)) {
        framer.spare(piece.len()).extend_from_slice(piece);
        loop {
            match framer.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(error) => return (frames, Some(error)),
            }
        }
    }
    (frames, None)
}

/// The one frame in these bytes.
pub(crate) fn frame(bytes: &Bytes) -> Result<Frame, String> {
    match frames(bytes, usize::MAX) {
        (frames, None) => {
            <[Frame; 1]>::try_from(frames).map(|[frame]| frame).map_err(|_| "not one frame".to_owned())
        }
        (_, Some(error)) => Err(error.to_string()),
    }
}

/// What Java's text of a null key and what empty values become.
fn java_header(value: &Value) -> Result<Header, String> {
    let mut value = value.clone();
    if let Some(ext) = value["ext"].as_object_mut() {
        ext.remove("(null key)");
    }
    header_of(&value)
}

pub(crate) fn encode(vector: &Vector) -> Checked {
    let input = vector.input();
    let (header, body) = (header_of(input)?, body_of(input)?);
    let java = vector.hex()?;
    decoded_as_java(vector)?;
    if !matches!(input["flag"].as_i64(), Some(0..=2)) {
        return Ok(Verdict::NotCovered("writing flag bits without a meaning".to_owned()));
    }
    let dialect = if input["codec"] == "binary" { Dialect::Binary } else { Dialect::Json };
    let mut ours = BytesMut::new();
    let used = header.encode(dialect, body.len(), &mut ours).map_err(|error| error.to_string())?;
    ours.extend_from_slice(&body);
    let ours = ours.freeze();
    let again = frame(&ours)?;
    same("what was encoded, decoded", &again, &Frame { header, body })?;
    if used != dialect {
        return Ok(Verdict::Stricter("the binary header would change it, so JSON is written"));
    }
    if ours == java || (vector.free() && ours.len() == java.len()) {
        return Ok(Verdict::Checked);
    }
    // Both generations of Java escape differently; either is right.
    let escaped = |bytes: &Bytes| bytes.windows(2).any(|pair| pair == b"\\u");
    if dialect == Dialect::Json && (escaped(&java) || escaped(&ours)) {
        return Ok(Verdict::Checked);
    }
    Err(format!("other bytes: {}", String::from_utf8_lossy(&ours)))
}

pub(crate) fn decode(vector: &Vector) -> Checked {
    decoded_as_java(vector)
}

/// Why this client refuses headers that a Java server takes. No real peer sends any of them.
const STRICT: [&str; 12] = [
    "it has no code",
    "it has no opaque",
    "a string was expected",
    "a number was expected",
    "a number of 32 bits was expected",
    "an object was expected",
    "a comma or the end of the object was expected",
    "it is not UTF-8",
    "a field is not UTF-8",
    "a negative length of the fields",
    "the fields do not end where the header does",
    "an unknown escape",
];

/// Members that one generation of Java refuses or resolves and the other ignores, as this client does.
const DIFFER: [&str; 3] = ["\"@type\"", "\"$ref\"", "\"body\""];

fn decoded_as_java(vector: &Vector) -> Checked {
    let bytes = vector.hex()?;
    let out = vector.output();
    let java = out["frames"].as_array().ok_or("no frames")?;
    let (ours, error) = frames(&bytes, usize::MAX);
    for piece in [1, 2, 7] {
        same("frames, cut", frames(&bytes, piece), (ours.clone(), error.clone()))?;
    }
    for (ours, java) in ours.iter().zip(java) {
        let mut expected = java_header(java)?;
        if expected.language == Language::UNKNOWN {
            // Generations differ in which languages they know; a null one says nothing.
            expected.language = ours.header.language;
        }
        if DIFFER.iter().any(|differ| String::from_utf8_lossy(&bytes).contains(differ))
            && ours.header != expected
        {
            return Ok(Verdict::Stricter(
                "members that the generations of Java read differently are plain text here",
            ));
        }
        same("header", &ours.header, &expected)?;
        same("body", &ours.body, &body_of(java)?)?;
    }
    match error {
        None if java.is_empty()
            && DIFFER.iter().any(|differ| String::from_utf8_lossy(&bytes).contains(differ)) =>
        {
            Ok(Verdict::Checked)
        }
        None => {
            same("the number of frames", ours.len(), java.len())?;
            same("open", Some(true), out["open"].as_bool())?;
            Ok(Verdict::Checked)
        }
        Some(_) if out["open"] == false && ours.len() == java.len() => Ok(Verdict::Checked),
        Some(FrameError::Header(HeaderError { why, .. })) if STRICT.contains(&why) => {
            Ok(Verdict::Stricter(why))
        }
        Some(error) => Err(format!("{} frames of {}, then {error}", ours.len(), java.len())),
    }
}
