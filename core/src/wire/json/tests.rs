//! Headers in JSON: Java's own, odd ones, and broken ones.

use super::*;
use crate::wire::fields::Fields;
use alloc::format;
use alloc::string::ToString;
use bytes::BytesMut;

const ROUTE: &str = r#"{"code":105,"extFields":{"topic":"TopicTest","acceptStandardJsonOnly":"true"},"flag":0,"language":"RUST","opaque":1,"serializeTypeCurrentRPC":"JSON","version":479}"#;
const REFUSAL: &str = r#"{"code":17,"flag":1,"language":"JAVA","opaque":1,"remark":"No topic route info","serializeTypeCurrentRPC":"JSON","version":479}"#;

fn read(text: &str) -> Result<Header, HeaderError> {
    decode(Bytes::copy_from_slice(text.as_bytes()))
}

fn write(header: &Header) -> String {
    let mut out = BytesMut::new();
    assert_eq!(header.encode(Dialect::Json, 0, &mut out), Ok(Dialect::Json));
    String::from_utf8(out.split_off(8).to_vec()).expect("a header is text")
}

#[test]
fn headers_are_written_as_java_writes_them() {
    for text in [ROUTE, REFUSAL] {
        assert_eq!(write(&read(text).expect(text)), text);
    }
    let refusal = read(REFUSAL).expect("a refusal");
    assert_eq!(
        (refusal.kind, refusal.code, refusal.remark.as_deref()),
        (Kind::Response, 17, Some("No topic route info"))
    );
    assert!(!refusal.fields.is_present());
}

#[test]
fn control_characters_quotes_and_backslashes_survive() {
    let value = "TAGS\u{1}TagA\u{2}\u{8}\t\n\u{c}\r\u{1f}\"\\/'\u{7f}\u{2028}订单😀";
    let fields = Fields::from_pairs([("i", value), ("plain", "x")]);
    let header =
        Header { remark: Some(Text::from(value.to_string())), fields, ..read(ROUTE).expect("a header") };
    let text = write(&header);
    assert!(text.contains(r#""i":"TAGS\u0001TagA\u0002\b\t\n\f\r\u001f\"\\/'"#), "{text}");
    let again = read(&text).expect(&text);
    assert_eq!(again, header);
    assert_eq!(again.fields.get("i"), Some(value));
}

#[test]
fn what_real_peers_vary_is_read_alike() {
    let plain = read(r#"{"code":0,"flag":1,"language":"JAVA","opaque":7,"version":401}"#).expect("a reply");
    for variant in [
        r#" { "version" : 401 , "opaque" : 7 , "flag" : 1 , "code" : 0 } "#,
        r#"{"code":"0","flag":"1","opaque":"7","version":"401","language":"JAVA"}"#,
        r#"{"code":0,"flag":1,"language":0,"opaque":7,"version":401,"remark":null,"extFields":null}"#,
        r#"{"code":0,"flag":1,"opaque":7,"version":401,"unknown":{"a":[1,{"b":null}]},"x":[true,-1.5e3],}"#,
        r#"{'code':0,'flag':1,'opaque':7,'version':401}"#,
        r#"{"code":0.9,"flag":1,"opaque":7,"version":401,"extFields":{}}"#,
    ] {
        assert_eq!(read(variant).as_ref(), Ok(&plain), "{variant}");
    }
    let unknown =
        read(r#"{"code":0,"opaque":7,"language":"KLINGON","remark":""}"#).expect("an unknown language");
    assert_eq!((unknown.language, unknown.remark.as_deref()), (Language::UNKNOWN, Some("")));
}

#[test]
fn values_that_are_no_text_are_taken_as_written() {
    let text = r#"{"code":0,"opaque":7,"extFields":{"a":5,"b":1.50,"c":true,"d":null,"e":{"x":[1]},"f":"","g":"\u0041\ud83d\ude00","h":"\ud83dx"}}"#;
    let fields = read(text).expect("odd values").fields;
    let expected = [
        ("a", "5"),
        ("b", "1.50"),
        ("c", "true"),
        ("e", r#"{"x":[1]}"#),
        ("f", ""),
        ("g", "A😀"),
        ("h", "\u{fffd}x"),
    ];
    assert_eq!(fields.iter().collect::<Vec<_>>(), expected);
    assert_eq!(fields.text("g").as_deref(), Some("A😀"));
}

#[test]
fn broken_headers_are_refused() {
    let deep = format!(r#"{{"code":0,"opaque":1,"x":{}1{}}}"#, "[".repeat(60), "]".repeat(60));
    let many = (0..300).map(|at| format!(r#""k{at}":"v","#)).collect::<String>();
    let many = format!(r#"{{"code":0,"opaque":1,"extFields":{{{many}"z":"z"}}}}"#);
    let long_key = format!(r#"{{"code":0,"opaque":1,"extFields":{{"{}":""}}}}"#, "k".repeat(129));
    for broken in [
        "",
        " ",
        "null",
        "[]",
        "5",
        "{}",
        "{",
        r#"{"code":0}"#,
        r#"{"opaque":1}"#,
        r#"{"code":0,"opaque":1}x"#,
        r#"{"code":0,"opaque":1"#,
        r#"{"code":0,,"opaque":1}"#,
        r#"{code:0,"opaque":1}"#,
        r#"{"code":0,"opaque":null}"#,
        r#"{"code":0,"opaque":2147483648}"#,
        r#"{"code":0,"opaque":99999999999999999999}"#,
        r#"{"code":x,"opaque":1}"#,
        r#"{"code":0,"opaque":1,"language":99}"#,
        r#"{"code":0,"opaque":1,"extFields":[]}"#,
        r#"{"code":-,"opaque":1}"#,
        r#"{"code":0,"opaque":1,"extFields":{"a":"\u00g0"}}"#,
        r#"{"code":0,"opaque":1,"extFields":{"a":"\"#,
        r#"{"code":0,"opaque":1,"remark":"\q"}"#,
        "\u{feff}{\"code\":0,\"opaque\":1}",
        &deep,
        &many,
        &long_key,
    ] {
        assert!(matches!(read(broken), Err(HeaderError { dialect: Dialect::Json, .. })), "{broken}");
    }
    assert!(decode(Bytes::from_static(b"{\"code\":0,\"opaque\":1,\"remark\":\"\xff\"}")).is_err());
    for cut in 0..ROUTE.len() {
        assert!(read(&ROUTE[..cut]).is_err(), "cut at {cut}");
    }
}
