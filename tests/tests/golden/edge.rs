//! What runs at the edge: compression, checksums, signatures.

use bytes::Bytes;
use fusee_core::wire::Fields;
use fusee_core::wire::message::{Compression, flags};
use fusee_engine::codec::{Codecs, body_crc, sign, signature};
use serde_json::Value;

use super::vector::{Checked, Vector, Verdict, pairs, same, text, unhex};

const LIMIT: usize = 16 * 1024 * 1024;

fn codec(value: &Value) -> Result<Compression, String> {
    match value.as_str() {
        Some("ZLIB") => Ok(Compression::Zlib),
        Some("LZ4") => Ok(Compression::Lz4),
        Some("ZSTD") => Ok(Compression::Zstd),
        other => Err(format!("no codec {other:?}")),
    }
}

/// Length and checksum of a plain body against what Java says of it.
fn same_body(ours: &[u8], java: &Value) -> Result<(), String> {
    same(
        "length",
        Some(ours.len()),
        java["length"].as_u64().and_then(|length| usize::try_from(length).ok()),
    )?;
    let crc = java["crc32"].as_u64().and_then(|crc| u32::try_from(crc).ok()).ok_or("no crc32")?;
    same("checksum", body_crc(ours), crc & 0x7FFF_FFFF)
}

pub(crate) fn compressed(vector: &Vector) -> Checked {
    let input = vector.input();
    let kind = codec(&input["codec"])?;
    let mut codecs = Codecs::default();
    let plain = codecs.inflate(kind, &vector.hex()?, LIMIT).map_err(|error| error.to_string())?;
    same_body(&plain, input)?;
    if kind == Compression::Zlib {
        let level =
            input["level"].as_u64().and_then(|level| u32::try_from(level).ok()).unwrap_or(5).clamp(1, 9);
        let ours = codecs.deflate(&plain, level);
        same("our own, inflated", codecs.inflate(kind, &ours, plain.len()), Ok(plain))?;
    }
    Ok(Verdict::Checked)
}

pub(crate) fn damaged(vector: &Vector) -> Checked {
    let plain = Codecs::default().inflate(codec(&vector.input()["codec"])?, &vector.hex()?, LIMIT);
    match plain {
        Ok(plain) if !vector.java_refused() => same_body(&plain, vector.output())?,
        Err(_) if vector.java_refused() => {}
        Ok(plain) => return Err(format!("{} bytes where Java refuses", plain.len())),
        Err(error) => return Err(format!("{error} where Java reads")),
    }
    Ok(Verdict::Checked)
}

pub(crate) fn compression_type(vector: &Vector) -> Checked {
    let Some(value) = vector.input()["value"].as_i64().and_then(|value| i32::try_from(value).ok()) else {
        return Ok(Verdict::NotCovered("compression types by name".to_owned()));
    };
    let ours = Compression::of((value << 8) | flags::COMPRESSED);
    match ours {
        Ok(Some(kind)) if !vector.java_refused() => {
            same("name", kind, codec(&vector.output()["name"])?)?;
            same(
                "flag",
                Some(i64::from(kind.flag() & flags::COMPRESSION)),
                vector.output()["flag"].as_i64(),
            )?;
            Ok(Verdict::Checked)
        }
        Err(_) if vector.java_refused() => Ok(Verdict::Checked),
        other => Err(format!("{other:?}")),
    }
}

pub(crate) fn crc(vector: &Vector) -> Checked {
    let java = vector.output()["masked"].as_u64();
    same("checksum", Some(u64::from(body_crc(&vector.hex()?))), java)?;
    Ok(Verdict::Checked)
}

pub(crate) fn hmac(vector: &Vector) -> Checked {
    if vector.java_refused() {
        return Ok(Verdict::NotCovered("secrets that Java does not sign with".to_owned()));
    }
    let input = vector.input();
    let member = |name: &str| text(&input[name]).ok_or_else(|| format!("no {name}"));
    let ours = signature(&member("secret")?, member("text")?.as_bytes());
    same("signature", Some(ours.as_str()), vector.output().as_str())?;
    Ok(Verdict::Checked)
}

/// A whole request as Java's hook leaves it: what it signed is everything but what it added.
pub(crate) fn signed_header(vector: &Vector) -> Checked {
    let (input, java) = (vector.input(), pairs(&vector.output()["ext"]));
    let member = |name: &str| text(&input[name]).ok_or_else(|| format!("no {name}"));
    let plain = java.iter().filter(|(key, _)| !["AccessKey", "Signature"].contains(&key.as_str()));
    let fields = Fields::from_pairs(plain.map(|(key, value)| (key.as_str(), value.as_str())));
    let extra = [("AccessKey", member("accessKey")?)];
    let extra = extra.each_ref().map(|(key, value)| (*key, value.as_str()));
    let ours = sign(&member("secretKey")?, &fields, &extra, &unhex(&member("body")?)?);
    same("signature", Some(ours.as_str()), vector.output()["ext"]["Signature"].as_str())?;
    Ok(Verdict::Checked)
}

pub(crate) fn signed(vector: &Vector) -> Checked {
    let (input, out) = (vector.input(), vector.output());
    let Some(java) = out["ext"]["Signature"].as_str() else {
        return Ok(Verdict::NotCovered("requests that Java fails to sign".to_owned()));
    };
    if input["ext"].as_object().is_some_and(|ext| ext.values().any(Value::is_null)) {
        return Ok(Verdict::NotCovered("null values in a request that is signed".to_owned()));
    }
    let pairs = pairs(&input["ext"]);
    let fields = Fields::from_pairs(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())));
    let member = |name: &str| text(&input[name]);
    let (key, token) = (member("accessKey").ok_or("no accessKey")?, member("securityToken"));
    let mut extra = vec![("AccessKey", key.as_str())];
    extra.extend(token.as_deref().map(|token| ("SecurityToken", token)));
    let body = member("body").map_or(Ok(Bytes::new()), |body| unhex(&body))?;
    let ours = sign(&member("secretKey").ok_or("no secretKey")?, &fields, &extra, &body);
    same("signature", ours.as_str(), java)?;
    Ok(Verdict::Checked)
}
