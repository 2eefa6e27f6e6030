//! Golden vectors: what the Java client writes and reads, checked one by one.
//!
//! Laws: every line of every file is either checked, or refused on purpose where Java is lax (and the reason is one
//! that the wire layer states), or counted by name as not covered. Nothing is skipped silently; a kind that has never
//! been heard of is a failure. `FUSEE_GOLDEN` names another directory of the same formats.

mod bodies;
mod constants;
mod edge;
mod frames;
mod headers;
mod messages;
mod names;
mod rules;
mod sending;
mod trace;
mod value;
mod vector;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use vector::{Checked, Vector, Verdict};

fn directory() -> PathBuf {
    std::env::var_os("FUSEE_GOLDEN")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("golden"), PathBuf::from)
}

fn main() -> ExitCode {
    let directory = directory();
    let mut files = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("the vectors in {}: {error}", directory.display()))
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "jsonl"))
        .collect::<Vec<_>>();
    files.sort();
    assert!(!files.is_empty(), "there are vectors in {}", directory.display());
    let trials = files.into_iter().map(|path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Trial::test(format!("golden::{name}"), move || run(&path))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

#[derive(Default)]
struct Tally {
    checked: usize,
    stricter: BTreeMap<&'static str, usize>,
    not_covered: BTreeMap<String, usize>,
}

fn run(path: &Path) -> Result<(), Failed> {
    let text = std::fs::read_to_string(path)?;
    let mut tallies = BTreeMap::<String, Tally>::new();
    let mut failures = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let vector = Vector::parse(line).map_err(|error| format!("line {}: {error}", at + 1))?;
        let tally = tallies.entry(vector.kind().to_owned()).or_default();
        match check(&vector) {
            Ok(Verdict::Checked) => tally.checked += 1,
            Ok(Verdict::Stricter(why)) => *tally.stricter.entry(why).or_default() += 1,
            Ok(Verdict::NotCovered(what)) => *tally.not_covered.entry(what).or_default() += 1,
            Err(error) => {
                failures.push(format!("line {}, {} ({}): {error}", at + 1, vector.id(), vector.java()))
            }
        }
    }
    print(path, &tallies);
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}

/// One buffer a file, so that files checked at the same time do not mix their lines.
fn print(path: &Path, tallies: &BTreeMap<String, Tally>) {
    use std::fmt::Write as _;
    let mut out = String::new();
    for (kind, tally) in tallies {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let stricter = tally.stricter.values().sum::<usize>();
        let not_covered = tally.not_covered.values().sum::<usize>();
        let (checked, all) = (tally.checked, tally.checked + stricter + not_covered);
        let _ = writeln!(out, "{name:22} {kind:20} {all:4} vectors, {checked:4} checked");
        for (why, count) in &tally.stricter {
            let _ = writeln!(out, "{:22} {:20} {count:4} refused where Java is lax: {why}", "", "");
        }
        for (what, count) in &tally.not_covered {
            let _ = writeln!(out, "{:22} {:20} {count:4} not covered: {what}", "", "");
        }
    }
    print!("{out}");
}

fn check(vector: &Vector) -> Checked {
    match vector.kind() {
        "encode" => frames::encode(vector),
        "decode" => frames::decode(vector),
        "request_header" => headers::request(vector),
        "response_header" => headers::response(vector),
        "decode_header" => headers::decode(vector),
        "body" => bodies::body(vector),
        "parse_body" => bodies::parse(vector),
        "captured" if vector.has("hex") => messages::stored(vector),
        "captured" => bodies::captured(vector),
        "message" => messages::message(vector),
        "message_decode" => messages::decode(vector),
        "offset_id" | "offset_id_decode" => messages::offset_id(vector),
        "uniq_id" => messages::unique_id(vector),
        "properties_encode" => messages::properties_encode(vector),
        "properties_decode" => messages::properties_decode(vector),
        "crc32" => edge::crc(vector),
        "batch" => messages::batch(vector),
        "batch_decode" => messages::batch_decode(vector),
        "inner_batch" => messages::inner_batch(vector),
        "compress" => edge::compressed(vector),
        "decompress" => edge::damaged(vector),
        "compression_type" => edge::compression_type(vector),
        "acl_hook" => edge::signed(vector),
        "hmac_sha1" => edge::hmac(vector),
        "subscription" | "subscription_typed" => rules::subscription(vector),
        "tag_hash" => rules::tag_hash(vector),
        "java_string_hash" => rules::string_hash(vector),
        "select_by_hash" => rules::select_by_hash(vector),
        "validate" => rules::names(vector),
        "pop_handle" => rules::pop_handle(vector),
        "pop_handle_read" => rules::pop_handle_read(vector),
        "pop_info_read" => rules::pop_info(vector),
        "recall_build" | "recall_read" => rules::recall(vector),
        "allocate" => rules::allocate(vector),
        "ring_hash" => rules::ring(vector),
        "sort_ids" => rules::sorted_ids(vector),
        "table" => constants::table(vector),
        "acl_hook_header" => edge::signed_header(vector),
        "batch_build" => messages::batch_build(vector),
        "enum" => constants::enumeration(vector),
        "message_sysflag" => constants::message_flag(vector),
        "pull_sysflag" => constants::pull_flag(vector),
        "pop_infos" => rules::pop_infos(vector),
        "pop_map_key" => rules::pop_map_key(vector),
        "pop_names" => rules::pop_names(vector),
        "sort_queues" => rules::sorted_queues(vector),
        "attributes" => names::attributes(vector),
        "client_id" => names::client_id(vector),
        "delay_levels" => names::delay_levels(vector),
        "group_names" => names::of_groups(vector),
        "list" => sending::names(vector),
        "namespace" => names::namespace(vector),
        "topic_sysflag" => names::topic_flag(vector),
        "trace" => trace::trace(vector),
        "validate_message" => sending::validated(vector),
        "vip_channel" => names::vip_channel(vector),
        kind => match NOT_COVERED.iter().find(|(known, _)| *known == kind) {
            Some((_, why)) => Ok(Verdict::NotCovered((*why).to_owned())),
            None => Err(format!("the kind {kind} has never been heard of")),
        },
    }
}

/// Why a class of Java's has no type here.
fn why(class: &str) -> &'static str {
    let has = |part: &str| class.contains(part);
    if has("Lite") {
        "light topics, new in 5.5, are not offered"
    } else if has("CheckTransactionState") {
        "brokers ask this one-way, so that nothing is answered"
    } else if class == "SendMessageRequestHeader" {
        "an answer to a message is sent with the short names"
    } else {
        "nothing here needs it"
    }
}

/// Kinds whose subject the wire layer does not have, and why.
const NOT_COVERED: [(&str, &str); 7] = [
    ("compress_error", "which failures Java's compressors have is their own"),
    ("crc32_property", "the checksum of properties is made by brokers, for brokers"),
    ("java_long_hash", "a sharding key is a text; who shards by numbers has a selector of his own"),
    ("lite_build", "light topics, new in 5.5, are not offered"),
    ("lite_read", "light topics, new in 5.5, are not offered"),
    ("pop_lite_order", "light topics, new in 5.5, are not offered"),
    ("ring_key", "what is hashed for a ring is checked by what the ring gives"),
];
