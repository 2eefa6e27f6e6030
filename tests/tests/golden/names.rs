//! What topics, groups, clients and attributes are called, with and without a namespace.

use fusee::DelayLevel;
use fusee_core::ids::{Address, ClientId, Group, Topic};
use fusee_core::wire::attributes::{AttributeChanges, AttributeError};
use fusee_core::wire::namespace::Namespace;
use fusee_core::wire::topic;

use super::vector::{Checked, Vector, Verdict, same, text};

/// The retry topic of what may be a group; Java makes one of any text but of none.
fn same_retry(group: &str, java: Option<&str>) -> Result<(), String> {
    match Group::new(group) {
        Ok(group) => same("retry topic", Some(group.retry_topic().as_str()), java),
        Err(_) => Ok(()),
    }
}

/// The question of what a name is in any namespace is asked by brokers alone.
pub(crate) fn namespace(vector: &Vector) -> Checked {
    let (input, out) = (vector.input(), vector.output());
    // A name that is none is one of no characters here.
    let name = input["resource"].as_str().unwrap_or_default();
    let java = |member: &str| out[member].as_str().unwrap_or_default();
    let namespace = input["namespace"].as_str().unwrap_or_default();
    if namespace.is_empty() {
        // Without a namespace there is nothing that could change a name.
        same("wrapped", name, java("wrap"))?;
        same("stripped", name, java("withoutThis"))?;
        same_retry(name, out["wrapAndRetry"].as_str())?;
        return Ok(Verdict::Checked);
    }
    let Ok(namespace) = Namespace::new(namespace) else {
        return Ok(Verdict::Stricter(
            "a namespace that no name can have, or that could not be told from names",
        ));
    };
    let (wrapped, stripped) = (namespace.wrap(name), namespace.strip(name));
    same("stripped", &*stripped, java("withoutThis"))?;
    if topic::is_system(name) && java("wrap") != name && vector.java().starts_with('4') {
        return Ok(Verdict::Stricter("a topic that is the brokers' own since 5.0"));
    }
    same("wrapped", &*wrapped, java("wrap"))?;
    same("already", Some(wrapped == name && stripped != name), out["already"].as_bool())?;
    same_retry(&wrapped, out["wrapAndRetry"].as_str())?;
    if java("namespaceOf") == namespace.as_str() {
        same("stripped of any", &*stripped, java("without"))?;
    }
    same("stripped again", namespace.strip(&wrapped) == name || wrapped == name, true)?;
    Ok(Verdict::Checked)
}

pub(crate) fn of_groups(vector: &Vector) -> Checked {
    let out = vector.output();
    let name = text(&vector.input()["group"]).ok_or("no group")?;
    same("a broker's own", Some(topic::is_system_group(&name)), out["system_group"].as_bool())?;
    let Ok(group) = Group::new(&name) else {
        return Ok(Verdict::Stricter("a group that no broker takes"));
    };
    same("retry", Some(group.retry_topic().as_str()), out["retry"].as_str())?;
    same("dead letters", Some(group.dead_letter_topic().as_str()), out["dlq"].as_str())?;
    // The name is that of a cluster here, and may be too long for a topic's.
    if let Ok(replies) = Topic::of_replies(&name) {
        same("replies", Some(replies.as_str()), out["reply"].as_str())?;
    }
    Ok(Verdict::Checked)
}

pub(crate) fn client_id(vector: &Vector) -> Checked {
    let input = vector.input();
    if input["stream"] == true {
        return Ok(Verdict::NotCovered(
            "one client reads in every way here, so that its id names none".to_owned(),
        ));
    }
    let member = |name: &str| input[name].as_str().ok_or_else(|| format!("no {name}"));
    let ours = ClientId::compose(member("ip")?, member("instanceName")?, input["unitName"].as_str());
    let ours = ours.map_err(|error| error.to_string())?;
    same("id", Some(ours.as_str()), vector.output().as_str())?;
    Ok(Verdict::Checked)
}

pub(crate) fn vip_channel(vector: &Vector) -> Checked {
    let (input, java) = (vector.input(), vector.output().as_str());
    let Ok(address) = Address::new(input["addr"].as_str().unwrap_or_default()) else {
        return Ok(if java.is_none() {
            Verdict::Checked
        } else {
            Verdict::Stricter("an address that is none")
        });
    };
    let ours = if input["vip"] == true { address.vip() } else { Some(address) };
    match ours {
        Some(ours) => same("address", Some(ours.as_str()), java)?,
        None if java.is_some_and(|java| Address::new(java).is_ok()) => {
            return Err(format!("no address where Java has {java:?}"));
        }
        None => return Ok(Verdict::Stricter("a port below the first")),
    }
    Ok(Verdict::Checked)
}

pub(crate) fn attributes(vector: &Vector) -> Checked {
    let string = text(&vector.input()["text"]).unwrap_or_default();
    let read = AttributeChanges::parse(&string);
    if vector.java_refused() {
        return match read {
            Err(_) => Ok(Verdict::Checked),
            Ok(changes) => Err(format!("{changes} where Java refuses")),
        };
    }
    let changes = |text: &str| {
        let mut changes = text.split(',').map(ToOwned::to_owned).collect::<Vec<_>>();
        changes.sort();
        changes
    };
    let mut built = Ok::<_, AttributeError>(AttributeChanges::new());
    for (key, value) in super::vector::pairs(vector.output()) {
        built = built.and_then(|mut built| {
            match key.split_at_checked(1) {
                Some(("+", name)) => built.set(name, &value)?,
                Some(("-", name)) => built.remove(name)?,
                Some(_) | None => return Ok(built),
            }
            Ok(built)
        });
    }
    match (read, built) {
        // Both ways: what Java reads is what is read here, and what is made of Java's reading is the same text.
        (Ok(read), Ok(built)) => {
            same("changes", &read, &built)?;
            same("text", changes(&read.to_string()), changes(&string))?;
            Ok(Verdict::Checked)
        }
        (Err(error), Ok(built)) if changes(&built.to_string()) == changes(&string) => {
            Err(format!("{error} where Java reads {built}"))
        }
        (Err(_), _) => Ok(Verdict::Stricter("changes that brokers refuse or could be read in two ways")),
        (Ok(read), Err(error)) => Err(format!("{read} is read and cannot be built: {error}")),
    }
}

pub(crate) fn topic_flag(vector: &Vector) -> Checked {
    let input = vector.input();
    let bit = |name: &str, flag: i32| if input[name] == true { flag } else { 0 };
    let ours = bit("unit", topic::flags::UNIT) | bit("hasUnitSub", topic::flags::UNIT_SUBSCRIBED);
    same("flag", Some(i64::from(ours)), vector.output().as_i64())?;
    Ok(Verdict::Checked)
}

/// What the levels that have a name here mean on a broker whose list was not changed.
pub(crate) fn delay_levels(vector: &Vector) -> Checked {
    let ours = [
        ("1s", DelayLevel::S1),
        ("5s", DelayLevel::S5),
        ("10s", DelayLevel::S10),
        ("30s", DelayLevel::S30),
        ("1m", DelayLevel::M1),
        ("2m", DelayLevel::M2),
        ("3m", DelayLevel::M3),
        ("4m", DelayLevel::M4),
        ("5m", DelayLevel::M5),
        ("6m", DelayLevel::M6),
        ("7m", DelayLevel::M7),
        ("8m", DelayLevel::M8),
        ("9m", DelayLevel::M9),
        ("10m", DelayLevel::M10),
        ("20m", DelayLevel::M20),
        ("30m", DelayLevel::M30),
        ("1h", DelayLevel::H1),
        ("2h", DelayLevel::H2),
    ];
    let java = vector.output().as_str().unwrap_or_default();
    let java = java.split(' ').zip(1..).map(|(delay, level)| (delay, DelayLevel::of(level)));
    same("levels", ours.map(|(delay, level)| (delay, Some(level))).to_vec(), java.collect())?;
    Ok(Verdict::Checked)
}
