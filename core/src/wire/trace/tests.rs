//! Records as Java and Go write them, and what is none. In the tables `~` ends a field and `^` a record.

use super::*;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::rng::Rng;

fn wire(table: &str) -> Text {
    Text::from(table.replace('~', "\u{1}").replace('^', "\u{2}"))
}

fn read(table: &str) -> Vec<Result<Record, BadRecord>> {
    records(&wire(table)).collect()
}

fn one(table: &str) -> Record {
    let mut records = read(table);
    assert_eq!(records.len(), 1, "{table}");
    records.remove(0).expect(table)
}

fn written(record: &Record) -> String {
    let mut out = String::new();
    record.put(&mut out).expect("no separators");
    out.replace('\u{1}', "~").replace('\u{2}', "^")
}

#[test]
fn what_java_writes_is_read_and_written_the_same() {
    for table in [
        "Pub~1700000000000~R~pg~T~MID~TagA~k1 k2~10.1.2.3:10911~5~7~0~OID~true^",
        "Pub~1700000000000~R~pg~T~MID~null~null~10.1.2.3:10911~5~7~4~~false^",
        "SubBefore~1700000000000~R~cg~RID~MID~2~k1^",
        "SubBefore~1700000000000~R~cg~RID~MID~0~null^",
        "SubAfter~RID~MID~5~true~k1~0~1700000000000~cg^",
        "SubAfter~RID~MID~5~false~null~4~^",
        "EndTransaction~1~R~pg~T~MID~TagA~k1~h:1~2~TID~COMMIT_MESSAGE~false^",
        "EndTransaction~1~R~pg~T~MID~null~null~h:1~2~TID~UNKNOW~true^",
        "Recall~1~R~pg~T~MID~true^",
    ] {
        assert_eq!(written(&one(table)), table);
    }
}

#[test]
fn what_others_and_older_writers_leave_out_or_add_is_read() {
    for (theirs, ours) in [
        ("Pub~1~R~g~T~M~~~h:1~3~5~1~true^", "Pub~1~R~g~T~M~null~null~h:1~3~5~1~~true^"),
        ("Pub~1~R~g~T~M~A~k~h:1~3~5~1~O~true~host^", "Pub~1~R~g~T~M~A~k~h:1~3~5~1~O~true~host^"),
        ("Pub~1~R~g~T~M~A~k~h:1~3~5~9~O~true~host~more^", "Pub~1~R~g~T~M~A~k~h:1~3~5~9~O~true~host^"),
        ("SubBefore~1~R~g~Q~M~1~^", "SubBefore~1~R~g~Q~M~1~null^"),
        ("SubBefore~1~R~g~Q~M~1~k~host^", "SubBefore~1~R~g~Q~M~1~k~host^"),
        ("SubAfter~Q~M~5~true~k^", "SubAfter~Q~M~5~true~k~0~^"),
        ("SubAfter~Q~M~5~true~k~2^", "SubAfter~Q~M~5~true~k~2~^"),
        ("SubAfter~Q~M~5~true~k~2~~^", "SubAfter~Q~M~5~true~k~2~^"),
        ("SubAfter~Q~M~5~true~k~2~7^", "SubAfter~Q~M~5~true~k~2~7^"),
        ("SubAfter~Q~M~5~true~k~2~7~g~more^", "SubAfter~Q~M~5~true~k~2~7~g^"),
        ("Recall~1~R~g~T~M~true", "Recall~1~R~g~T~M~true^"),
    ] {
        assert_eq!(written(&one(theirs)), ours, "{theirs}");
    }
}

#[test]
fn a_damaged_record_costs_no_other() {
    let good = "Recall~1~R~g~T~M~true^";
    for (bad, why) in [
        ("Later~1", "its type is not known"),
        ("Pub~1~R", "a field is missing"),
        ("Pub~x~R~g~T~M~A~k~h:1~3~5~1~O~true", "a field is not of its type"),
        ("Pub~1~R~g~T~M~A~k~h:1~3~5~99999999999~O~true", "a field is not of its type"),
        ("SubAfter~Q~M~5~yes~k", "a field is not of its type"),
        ("SubAfter~Q~M~5~true~k~2~soon", "a field is not of its type"),
        ("EndTransaction~1~R~g~T~M~A~k~h:1~2~TID~MAYBE~true", "its verdict is not known"),
        ("Recall~1~R~g~T~M", "a field is missing"),
    ] {
        let all = read(&[good, bad, "^", good].concat());
        assert_eq!(all.len(), 3, "{bad}");
        assert!(all[0].is_ok() && all[2].is_ok(), "{bad}");
        assert_eq!(all[1], Err(BadRecord { why, text: wire(bad) }), "{bad}");
    }
    assert_eq!(read(""), []);
    assert_eq!(read("^^"), []);
}

#[test]
fn reading_copies_nothing() {
    let body = wire("Recall~1~Region~g~T~M~true^");
    let Some(Ok(Record::Recalled { region, .. })) = records(&body).next() else { panic!("a record") };
    let whole = body.as_bytes().as_ptr_range();
    assert!(whole.contains(&region.as_bytes().as_ptr()), "{region}");
}

#[test]
fn a_separator_in_a_text_is_refused_and_nothing_is_written() {
    for bad in ["a\u{1}b", "a\u{2}b"] {
        let record = Record::Recalled {
            time: UnixMillis(1),
            region: Text::from("R"),
            group: Text::from("g"),
            topic: Text::from("T"),
            message: Text::from(bad.to_string()),
            success: true,
        };
        let mut out = String::from("before");
        assert_eq!(record.put(&mut out), Err(Separator));
        assert_eq!(out, "before");
    }
}

#[test]
fn a_record_is_found_by_the_message_and_each_key() {
    let keys = |table| one(table).keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(keys("SubBefore~1~R~g~Q~M~1~k1  k2 ^"), ["M", "k1", "k2"]);
    assert_eq!(keys("SubAfter~Q~M~5~true~null~0~1~g^"), ["M"]);
    assert_eq!(keys("Recall~1~R~g~T~M~true^"), ["M"]);
}

#[test]
fn any_records_survive() {
    const SEED: u64 = 20_261_122;
    let mut rng = Rng::new(SEED);
    for _ in 0..2_000 {
        let some = (0..rng.below(4)).map(|_| any(&mut rng)).collect::<Vec<_>>();
        let mut out = String::new();
        some.iter().try_for_each(|record| record.put(&mut out)).expect("no separators");
        let again = records(&Text::from(out)).collect::<Result<Vec<_>, _>>();
        assert_eq!(again, Ok(some), "seed {SEED}");
    }
}

fn text(rng: &mut Rng) -> Text {
    const PIECES: [&str; 8] = ["a", "Tag", " ", "中文", "null", "\u{3}", "true", "7"];
    let pick = |rng: &mut Rng| PIECES[rng.below(8) as usize];
    // Never empty and never `null`, which as an optional text say that there is none.
    Text::from((0..=rng.below(3)).map(|_| pick(rng)).collect::<Vec<_>>().concat() + "x")
}

fn any(rng: &mut Rng) -> Record {
    let time = UnixMillis(i64::from(rng.below(u32::MAX)) << 16);
    let number = |rng: &mut Rng| i32::from_ne_bytes(rng.below(u32::MAX).to_ne_bytes());
    let maybe = |rng: &mut Rng| (rng.below(2) == 0).then(|| text(rng));
    let verdict = Verdict::ALL[rng.below(3) as usize];
    let success = rng.below(2) == 0;
    let [region, group, topic, message] = [(); 4].map(|()| text(rng));
    match rng.below(5) {
        0 => Record::Sent {
            time,
            region,
            group,
            topic,
            message,
            tags: maybe(rng),
            keys: maybe(rng),
            store_host: text(rng),
            body_bytes: number(rng),
            cost_ms: number(rng),
            kind: MessageKind(number(rng)),
            offset_id: maybe(rng),
            success,
            client_host: maybe(rng),
        },
        1 => Record::Consuming {
            time,
            region,
            group,
            request: topic,
            message,
            retries: number(rng),
            keys: maybe(rng),
            client_host: maybe(rng),
        },
        2 => {
            let time = success.then_some(time);
            let (keys, code) = (maybe(rng), ConsumeCode(number(rng)));
            let group = time.and_then(|_| maybe(rng));
            Record::Consumed {
                request: topic,
                message,
                cost_ms: number(rng),
                success,
                keys,
                code,
                time,
                group,
            }
        }
        3 => Record::Decided {
            time,
            region,
            group,
            topic,
            message,
            tags: maybe(rng),
            keys: maybe(rng),
            store_host: text(rng),
            kind: MessageKind(number(rng)),
            transaction: text(rng),
            verdict,
            checked: success,
        },
        _ => Record::Recalled { time, region, group, topic, message, success },
    }
}
