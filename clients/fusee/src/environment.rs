//! What the environment says: name servers, a preset, and every option that is a number.
//!
//! Laws: only [`ClientBuilder::from_env`](crate::ClientBuilder::from_env) reads the environment, nothing below does;
//! a variable that is empty says nothing; one that says nonsense is an error that names it, never a default.

use std::fmt;
use std::time::Duration;

use fusee_core::ids::Address;

use crate::error::ConfigError;
use crate::preset::Preset;
use crate::setting::{Range, Setting, Value};

/// Asked in this order; the first one that is set and not empty counts.
const NAME_SERVERS: &[&str] = &[
    "FUSEE_NAMESRV",
    "NAMESRV_ADDR",
    "ROCKETMQ_NAMESRV_ADDR",
    "PYROCKETMQ_NAMESRV_ADDR",
    "PYROCKETMQ_SERVER_ADDRESS",
];

/// In the same way.
const PRESET: &[&str] = &["FUSEE_PRESET", "PYROCKETMQ_ENVIRONMENT"];

/// What is used when none is set: a name server on this machine, at its usual port.
const DEFAULT: &str = "127.0.0.1:9876";

/// Of a value that is none, what an error shows.
const SHOWN: usize = 80;

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// The program said so.
    Program,
    /// This environment variable.
    Variable(&'static str),
    /// This preset.
    Preset {
        /// Which one.
        preset: Preset,
        /// The environment variable that names it, if it was not the program.
        variable: Option<&'static str>,
    },
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program => f.write_str("given by the program"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Preset { preset, variable: None } => write!(f, "preset {preset}"),
            Self::Preset { preset, variable: Some(name) } => {
                write!(f, "preset {preset}, named by environment variable {name}")
            }
            Self::Default => f.write_str("default"),
        }
    }
}

/// The first of these variables that says something.
fn first(
    variables: &'static [&'static str],
    variable: impl Fn(&str) -> Option<String>,
) -> Option<(&'static str, String)> {
    variables
        .iter()
        .find_map(|name| variable(name).filter(|text| !text.trim().is_empty()).map(|text| (*name, text)))
}

/// The name servers that the environment names, with the variable they came from.
pub(crate) fn name_servers(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(Vec<Address>, Origin), ConfigError> {
    let (text, origin) = match first(NAME_SERVERS, variable) {
        Some((name, text)) => (text, Origin::Variable(name)),
        None => (DEFAULT.to_owned(), Origin::Default),
    };
    Ok((addresses(&text, origin)?, origin))
}

/// The preset that the environment names, with the variable that does.
pub(crate) fn preset(
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<(Preset, &'static str)>, ConfigError> {
    let Some((name, text)) = first(PRESET, variable) else { return Ok(None) };
    Ok(Some((Preset::named(&text, Origin::Variable(name))?, name)))
}

/// What the environment sets an option to, with the variable that does; in its range.
pub(crate) fn value(
    setting: Setting,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<(Value, &'static str)>, ConfigError> {
    let Some((name, text)) = first(setting.variables(), variable) else { return Ok(None) };
    let range = setting.row().range;
    match read(&text, range).filter(|value| range.holds(*value)) {
        Some(value) => Ok(Some((value, name))),
        None => Err(ConfigError::Variable {
            name,
            given: text.trim().chars().take(SHOWN).collect::<String>().into(),
            allowed: setting.allowed(),
        }),
    }
}

/// One address.
pub(crate) fn address(text: &str, origin: Origin) -> Result<Address, ConfigError> {
    Address::new(text).map_err(|why| ConfigError::Address { text: text.into(), why, origin })
}

/// Addresses of a list that is separated by semicolons, as Java's are, or commas; each once.
pub(crate) fn addresses(list: &str, origin: Origin) -> Result<Vec<Address>, ConfigError> {
    let mut found = Vec::new();
    for text in list.split([';', ',']).map(str::trim).filter(|text| !text.is_empty()) {
        let address = address(text, origin)?;
        if !found.contains(&address) {
            found.push(address);
        }
    }
    if found.is_empty() { Err(ConfigError::NoNameServer) } else { Ok(found) }
}

/// A value of the kind that the range is of.
fn read(text: &str, range: Range) -> Option<Value> {
    let text = text.trim().to_ascii_lowercase();
    match range {
        Range::TimeOrNever(..) if text == "never" => Some(Value::Never),
        Range::Time(..) | Range::TimeOrNever(..) => time(&text).map(Value::Time),
        Range::Count(..) => count(&text).map(Value::Count),
    }
}

/// A number of seconds, or one with a unit: `250ms`, `5s`, `1.5m`, `1h`.
fn time(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text);
    let number = digits(number)?;
    let seconds = match unit {
        "ms" => number / 1e3,
        "" | "s" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// A whole number, or one of KiB, MiB or GiB.
fn count(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text);
    let shift = match unit {
        "" => 0,
        "kib" => 10,
        "mib" => 20,
        "gib" => 30,
        _ => return None,
    };
    let number: u64 = if number.starts_with('+') { return None } else { number.parse().ok()? };
    number.checked_mul(1 << shift)
}

/// What stands before the first letter, and what from there on.
fn split_unit(text: &str) -> (&str, &str) {
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    (number.trim_end(), unit)
}

/// A number of digits with at most one point between them: no sign, no exponent, nothing that is not a number.
fn digits(text: &str) -> Option<f64> {
    let plain = text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use fusee_core::error::NameError;

    use super::*;

    fn set(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned())
    }

    fn servers(pairs: &[(&str, &str)]) -> Result<(Vec<String>, Origin), ConfigError> {
        name_servers(set(pairs))
            .map(|(found, origin)| (found.iter().map(ToString::to_string).collect(), origin))
    }

    #[test]
    fn the_first_variable_that_says_something_counts() {
        let default = (vec!["127.0.0.1:9876".to_owned()], Origin::Default);
        assert_eq!(servers(&[]), Ok(default));
        let pairs = [("PYROCKETMQ_NAMESRV_ADDR", "d:4"), ("ROCKETMQ_NAMESRV_ADDR", "c:3")];
        assert_eq!(servers(&pairs), Ok((vec!["c:3".to_owned()], Origin::Variable("ROCKETMQ_NAMESRV_ADDR"))));
        let pairs = [("FUSEE_NAMESRV", "  "), ("NAMESRV_ADDR", "b:2; b:3,b:2;")];
        assert_eq!(
            servers(&pairs),
            Ok((vec!["b:2".to_owned(), "b:3".to_owned()], Origin::Variable("NAMESRV_ADDR")))
        );
        let pairs = [("PYROCKETMQ_SERVER_ADDRESS", "e:5")];
        assert_eq!(
            servers(&pairs),
            Ok((vec!["e:5".to_owned()], Origin::Variable("PYROCKETMQ_SERVER_ADDRESS")))
        );
    }

    #[test]
    fn a_bad_address_is_refused_with_where_it_came_from() {
        let error = servers(&[("NAMESRV_ADDR", "good:1;bad")]).expect_err("no port");
        let origin = Origin::Variable("NAMESRV_ADDR");
        assert_eq!(error, ConfigError::Address { text: "bad".into(), why: NameError::Port, origin });
        assert!(error.to_string().contains("NAMESRV_ADDR"), "{error}");
        assert_eq!(servers(&[("NAMESRV_ADDR", ";;")]), Err(ConfigError::NoNameServer));
    }

    #[test]
    fn times_have_units_or_are_seconds() {
        let ms = |ms| Some(Duration::from_millis(ms));
        let table = [
            ("5", ms(5_000)),
            ("0.25", ms(250)),
            ("5s", ms(5_000)),
            ("250ms", ms(250)),
            ("250 ms", ms(250)),
            ("2m", ms(120_000)),
            ("1.5min", ms(90_000)),
            ("1h", ms(3_600_000)),
            ("0", ms(0)),
        ];
        let nonsense =
            ["", "s", "-1", "+1", "1e3", "5 parsecs", "inf", "nan", "1.2.3", ".5", "5.", "1s 2ms", "٣"];
        for (text, wanted) in table.into_iter().chain(nonsense.map(|text| (text, None))) {
            assert_eq!(time(text), wanted, "{text:?}");
        }
        assert_eq!(time(&"9".repeat(400)), None, "more than a number holds");
    }

    #[test]
    fn counts_are_whole_and_may_have_binary_units() {
        let table = [
            ("0", Some(0)),
            ("65536", Some(65_536)),
            ("64kib", Some(65_536)),
            ("3 mib", Some(3 << 20)),
            ("2gib", Some(2 << 30)),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("1kb", None),
            ("18446744073709551616", None),
            ("18446744073709551615kib", None),
            ("", None),
        ];
        for (text, wanted) in table {
            assert_eq!(count(text), wanted, "{text:?}");
        }
    }

    #[test]
    fn what_a_variable_may_not_say_is_told() {
        let refused = |setting, name, given: &str| {
            let error = value(setting, set(&[(name, given)])).expect_err(given);
            let text = error.to_string();
            assert!(text.contains(name) && text.contains(setting.allowed()), "{text}");
            let ConfigError::Variable { name: named, given: shown, .. } = error else { panic!("{error:?}") };
            assert_eq!(named, name);
            shown
        };
        assert_eq!(&*refused(Setting::SendDeadline, "FUSEE_SEND_DEADLINE", " soon "), "soon");
        refused(Setting::SendDeadline, "PYROCKETMQ_RPC_TIMEOUT", "7200");
        refused(Setting::SendDeadline, "FUSEE_SEND_DEADLINE", "never");
        refused(Setting::ConnectionsPerBroker, "PYROCKETMQ_CONNECTION_POOL_SIZE", "0");
        refused(Setting::ConnectionsPerBroker, "FUSEE_CONNECTIONS_PER_BROKER", "65");
        refused(Setting::IdleClose, "FUSEE_IDLE_CLOSE", "999ms");
        assert_eq!(
            refused(Setting::InFlightMax, "FUSEE_IN_FLIGHT_MAX", &"ü".repeat(1000)).chars().count(),
            SHOWN
        );
    }

    #[test]
    fn never_is_a_time_where_there_may_be_none() {
        let (never, name) = (Value::Never, "FUSEE_IDLE_CLOSE");
        assert_eq!(value(Setting::IdleClose, set(&[(name, "Never")])), Ok(Some((never, name))));
        assert_eq!(value(Setting::IdleClose, set(&[(name, "")])), Ok(None));
    }

    #[test]
    fn our_own_variable_goes_before_the_other_name() {
        let pairs = [("PYROCKETMQ_MAX_WAITERS", "7"), ("FUSEE_SEND_MESSAGES_MAX", "8")];
        let found = value(Setting::SendMessagesMax, set(&pairs)).expect("legal");
        assert_eq!(found, Some((Value::Count(8), "FUSEE_SEND_MESSAGES_MAX")));
        let found = value(Setting::SendMessagesMax, set(&pairs[..1])).expect("legal");
        assert_eq!(found, Some((Value::Count(7), "PYROCKETMQ_MAX_WAITERS")));
    }

    #[test]
    fn a_preset_may_be_named_by_either_variable() {
        let found = preset(set(&[("PYROCKETMQ_ENVIRONMENT", "prod"), ("FUSEE_PRESET", "debug")]));
        assert_eq!(found, Ok(Some((Preset::Debug, "FUSEE_PRESET"))));
        let origin = Origin::Variable("PYROCKETMQ_ENVIRONMENT");
        let error = preset(set(&[("PYROCKETMQ_ENVIRONMENT", "staging")])).expect_err("no such preset");
        assert_eq!(error, ConfigError::UnknownPreset { name: "staging".into(), origin });
        assert!(error.to_string().contains("PYROCKETMQ_ENVIRONMENT"), "{error}");
    }
}
