//! Every option that is a number: its name, the variables that set it, its range and its default.
//!
//! Law: whoever gives a number (the program, a preset, the environment), it is held against the same range, which
//! stands here and nowhere else.

use std::fmt;
use std::time::Duration;

use fusee_core::limits::client as limits;

use crate::environment::Origin;
use crate::error::ConfigError;

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// An option of a client that is a number; [`ClientBuilder`](crate::ClientBuilder) has a method for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// [`send_deadline`](crate::ClientBuilder::send_deadline).
    SendDeadline,
    /// [`send_attempts`](crate::ClientBuilder::send_attempts).
    SendAttempts,
    /// [`send_messages_max`](crate::ClientBuilder::send_messages_max).
    SendMessagesMax,
    /// [`send_bytes_max`](crate::ClientBuilder::send_bytes_max).
    SendBytesMax,
    /// [`connect_deadline`](crate::ClientBuilder::connect_deadline).
    ConnectDeadline,
    /// [`close_deadline`](crate::ClientBuilder::close_deadline).
    CloseDeadline,
    /// [`heartbeat_interval`](crate::ClientBuilder::heartbeat_interval).
    HeartbeatInterval,
    /// [`route_refresh_interval`](crate::ClientBuilder::route_refresh_interval).
    RouteRefreshInterval,
    /// [`connections_per_broker`](crate::ClientBuilder::connections_per_broker).
    ConnectionsPerBroker,
    /// [`dial_deadline`](crate::ClientBuilder::dial_deadline).
    DialDeadline,
    /// The first pause of [`backoff`](crate::ClientBuilder::backoff).
    BackoffFirst,
    /// The longest pause of [`backoff`](crate::ClientBuilder::backoff).
    BackoffLongest,
    /// [`in_flight_max`](crate::ClientBuilder::in_flight_max).
    InFlightMax,
    /// [`idle_close`](crate::ClientBuilder::idle_close).
    IdleClose,
    /// [`connection_life_max`](crate::ClientBuilder::connection_life_max).
    ConnectionLifeMax,
    /// [`tcp_keep_alive`](crate::ClientBuilder::tcp_keep_alive).
    TcpKeepAlive,
}

/// What an option is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Something that does not happen.
    Never,
    Time(Duration),
    Count(u64),
}

/// What an option may be set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    Time(Duration, Duration),
    TimeOrNever(Duration, Duration),
    Count(u64, u64),
}

/// All about one option.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// Asked in this order.
    pub(crate) variables: &'static [&'static str],
    pub(crate) default: Value,
    pub(crate) range: Range,
    /// The range, in words.
    pub(crate) allowed: &'static str,
}

impl Setting {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::SendDeadline,
        Self::SendAttempts,
        Self::SendMessagesMax,
        Self::SendBytesMax,
        Self::ConnectDeadline,
        Self::CloseDeadline,
        Self::HeartbeatInterval,
        Self::RouteRefreshInterval,
        Self::ConnectionsPerBroker,
        Self::DialDeadline,
        Self::BackoffFirst,
        Self::BackoffLongest,
        Self::InFlightMax,
        Self::IdleClose,
        Self::ConnectionLifeMax,
        Self::TcpKeepAlive,
    ];

    /// Its name, as errors say it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().name
    }

    /// The environment variables that [`ClientBuilder::from_env`](crate::ClientBuilder::from_env) reads it from, in
    /// this order.
    #[must_use]
    pub const fn variables(self) -> &'static [&'static str] {
        self.row().variables
    }

    /// What it may be, in words.
    #[must_use]
    pub const fn allowed(self) -> &'static str {
        self.row().allowed
    }

    pub(crate) const fn row(self) -> Row {
        use Range::{Count, Time, TimeOrNever};
        let admitted = Value::Count(limits::ADMITTED_MESSAGES as u64);
        let admitted_bytes = Value::Count(limits::ADMITTED_BYTES as u64);
        let in_flight = Value::Count(limits::IN_FLIGHT_PER_CONNECTION as u64);
        let time = Value::Time;
        match self {
            Self::SendDeadline => Row {
                name: "send_deadline",
                variables: &["FUSEE_SEND_DEADLINE", "PYROCKETMQ_RPC_TIMEOUT"],
                default: time(limits::SEND_DEADLINE),
                range: Time(MILLI, HOUR),
                allowed: "1 ms to 1 h",
            },
            Self::SendAttempts => Row {
                name: "send_attempts",
                variables: &["FUSEE_SEND_ATTEMPTS"],
                default: Value::Count(limits::SEND_ATTEMPTS as u64),
                range: Count(1, 100),
                allowed: "1 to 100",
            },
            Self::SendMessagesMax => Row {
                name: "send_messages_max",
                variables: &["FUSEE_SEND_MESSAGES_MAX", "PYROCKETMQ_MAX_WAITERS"],
                default: admitted,
                range: Count(1, 1_000_000),
                allowed: "1 to 1,000,000",
            },
            Self::SendBytesMax => Row {
                name: "send_bytes_max",
                variables: &["FUSEE_SEND_BYTES_MAX"],
                default: admitted_bytes,
                range: Count(1, 16 << 30),
                allowed: "1 byte to 16 GiB",
            },
            Self::ConnectDeadline => Row {
                name: "connect_deadline",
                variables: &["FUSEE_CONNECT_DEADLINE"],
                default: time(limits::CONNECT_DEADLINE),
                range: Time(MILLI, HOUR),
                allowed: "1 ms to 1 h",
            },
            Self::CloseDeadline => Row {
                name: "close_deadline",
                variables: &["FUSEE_CLOSE_DEADLINE"],
                default: time(limits::CLOSE_DEADLINE),
                range: Time(Duration::ZERO, HOUR),
                allowed: "0 to 1 h",
            },
            Self::HeartbeatInterval => Row {
                name: "heartbeat_interval",
                variables: &["FUSEE_HEARTBEAT_INTERVAL"],
                default: time(limits::HEARTBEAT),
                range: Time(SECOND, Duration::from_secs(60)),
                allowed: "1 s to 60 s",
            },
            Self::RouteRefreshInterval => Row {
                name: "route_refresh_interval",
                variables: &["FUSEE_ROUTE_REFRESH_INTERVAL"],
                default: time(limits::ROUTE_REFRESH),
                range: Time(SECOND, HOUR),
                allowed: "1 s to 1 h",
            },
            Self::ConnectionsPerBroker => Row {
                name: "connections_per_broker",
                variables: &["FUSEE_CONNECTIONS_PER_BROKER", "PYROCKETMQ_CONNECTION_POOL_SIZE"],
                default: Value::Count(1),
                range: Count(1, 64),
                allowed: "1 to 64",
            },
            Self::DialDeadline => Row {
                name: "dial_deadline",
                variables: &["FUSEE_DIAL_DEADLINE", "PYROCKETMQ_CONNECTION_POOL_TIMEOUT"],
                default: time(limits::DIAL_DEADLINE),
                range: Time(MILLI, HOUR),
                allowed: "1 ms to 1 h",
            },
            Self::BackoffFirst => Row {
                name: "backoff_first",
                variables: &["FUSEE_BACKOFF_FIRST"],
                default: time(limits::BACKOFF_MIN),
                range: Time(MILLI, HOUR),
                allowed: "1 ms to the longest",
            },
            Self::BackoffLongest => Row {
                name: "backoff_longest",
                variables: &["FUSEE_BACKOFF_LONGEST"],
                default: time(limits::BACKOFF_MAX),
                range: Time(MILLI, HOUR),
                allowed: "1 ms to 1 h",
            },
            Self::InFlightMax => Row {
                name: "in_flight_max",
                variables: &["FUSEE_IN_FLIGHT_MAX"],
                default: in_flight,
                range: Count(1, 32_768),
                allowed: "1 to 32,768",
            },
            Self::IdleClose => Row {
                name: "idle_close",
                variables: &["FUSEE_IDLE_CLOSE"],
                default: Value::Never,
                range: TimeOrNever(SECOND, HOUR),
                allowed: "1 s to 1 h, or never",
            },
            Self::ConnectionLifeMax => Row {
                name: "connection_life_max",
                variables: &["FUSEE_CONNECTION_LIFE_MAX", "PYROCKETMQ_CONNECTION_MAX_LIFETIME"],
                default: Value::Never,
                range: TimeOrNever(SECOND, Duration::from_secs(24 * 3600)),
                allowed: "1 s to 24 h, or never",
            },
            Self::TcpKeepAlive => Row {
                name: "tcp_keep_alive",
                variables: &["FUSEE_TCP_KEEP_ALIVE"],
                default: time(Duration::from_secs(30)),
                range: TimeOrNever(SECOND, Duration::from_secs(2 * 3600)),
                allowed: "1 s to 2 h, or never",
            },
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Range {
    pub(crate) fn holds(self, value: Value) -> bool {
        match (self, value) {
            (Self::Time(low, high) | Self::TimeOrNever(low, high), Value::Time(time)) => {
                (low..=high).contains(&time)
            }
            (Self::Count(low, high), Value::Count(count)) => (low..=high).contains(&count),
            (Self::TimeOrNever(..), Value::Never) => true,
            (Self::Time(..) | Self::TimeOrNever(..) | Self::Count(..), _) => false,
        }
    }
}

impl From<Duration> for Value {
    fn from(time: Duration) -> Self {
        Self::Time(time)
    }
}

impl From<u32> for Value {
    fn from(count: u32) -> Self {
        Self::Count(count.into())
    }
}

impl From<usize> for Value {
    fn from(count: usize) -> Self {
        // No machine counts further than that.
        Self::Count(count.try_into().unwrap_or(u64::MAX))
    }
}

impl From<Option<Duration>> for Value {
    fn from(time: Option<Duration>) -> Self {
        time.map_or(Self::Never, Self::Time)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never"),
            Self::Time(time) => write!(f, "{time:?}"),
            Self::Count(count) => count.fmt(f),
        }
    }
}

/// What all options are set to, and by whom.
#[derive(Clone)]
pub(crate) struct Values([(Value, Origin); Setting::ALL.len()]);

impl Values {
    pub(crate) fn set(&mut self, setting: Setting, value: Value, origin: Origin) {
        self.0[setting as usize] = (value, origin);
    }

    pub(crate) fn origin(&self, setting: Setting) -> Origin {
        self.0[setting as usize].1
    }

    /// Whether each option is in its range.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        for setting in Setting::ALL {
            let (value, _) = self.0[setting as usize];
            let Row { name, range, allowed, .. } = setting.row();
            if !range.holds(value) {
                return Err(ConfigError::Range { option: name, given: value.to_string().into(), allowed });
            }
        }
        let (first, longest) = (self.time(Setting::BackoffFirst), self.time(Setting::BackoffLongest));
        if first > longest {
            let Row { name, allowed, .. } = Setting::BackoffFirst.row();
            return Err(ConfigError::Range { option: name, given: format!("{first:?}").into(), allowed });
        }
        Ok(())
    }

    /// A time; of an option that may be `never`, the time if there is one.
    pub(crate) fn time_or_never(&self, setting: Setting) -> Option<Duration> {
        match self.0[setting as usize].0 {
            Value::Time(time) => Some(time),
            Value::Never | Value::Count(_) => None,
        }
    }

    pub(crate) fn time(&self, setting: Setting) -> Duration {
        // Every default is of its range's kind, and so is whatever was set: `check` was there before.
        self.time_or_never(setting).expect("the option is a time")
    }

    /// A count; more than this machine can count is as good as all it can.
    pub(crate) fn count(&self, setting: Setting) -> usize {
        let Value::Count(count) = self.0[setting as usize].0 else { panic!("the option is a count") };
        usize::try_from(count).unwrap_or(usize::MAX)
    }
}

impl fmt::Debug for Values {
    /// Shows what is not as it is by default.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set = Setting::ALL.into_iter().map(|setting| (setting, self.0[setting as usize]));
        let set = set.filter(|(_, (_, origin))| *origin != Origin::Default);
        let shown = set.map(|(setting, (value, origin))| (setting.as_str(), format!("{value} ({origin})")));
        f.debug_map().entries(shown).finish()
    }
}

impl Default for Values {
    fn default() -> Self {
        Self(Setting::ALL.map(|setting| (setting.row().default, Origin::Default)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_stand_in_the_order_of_the_numbers_and_have_names_of_their_own() {
        for (place, setting) in Setting::ALL.into_iter().enumerate() {
            assert_eq!(setting as usize, place, "{setting}");
            let variable = format!("FUSEE_{}", setting.as_str().to_uppercase());
            assert_eq!(setting.variables().first(), Some(&&*variable));
        }
        let names: std::collections::BTreeSet<_> = Setting::ALL.iter().flat_map(|s| s.variables()).collect();
        assert_eq!(names.len(), Setting::ALL.iter().map(|s| s.variables().len()).sum::<usize>());
    }

    #[test]
    fn defaults_are_in_range() {
        assert_eq!(Values::default().check(), Ok(()));
    }

    #[test]
    fn a_range_ends_where_it_says() {
        let time = Range::Time(MILLI, HOUR);
        let bounds =
            [(Duration::from_micros(999), false), (MILLI, true), (HOUR, true), (HOUR + MILLI, false)];
        for (at, inside) in bounds {
            assert_eq!(time.holds(Value::Time(at)), inside, "{at:?}");
        }
        assert!(!time.holds(Value::Never) && !time.holds(Value::Count(1)));
        assert!(Range::TimeOrNever(MILLI, HOUR).holds(Value::Never));
        assert!(Range::Count(1, 2).holds(Value::Count(2)) && !Range::Count(1, 2).holds(Value::Count(3)));
    }
}
