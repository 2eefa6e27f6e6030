//! Sets of options that go together, by name.
//!
//! Law: a preset says something of every option in its table and of no other, so that of two presets the later one
//! counts alone.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use fusee_core::limits::client as limits;

use crate::environment::Origin;
use crate::error::ConfigError;
use crate::setting::{Setting, Value};

/// Options that go together, for [`ClientBuilder::preset`](crate::ClientBuilder::preset) and the variable
/// `FUSEE_PRESET`. What is set by itself afterwards overrides it.
///
/// | option | default | development | production | testing | high-performance | debug |
/// |---|---|---|---|---|---|---|
/// | `send_deadline` | 3 s | 10 s | 30 s | 5 s | 10 s | 60 s |
/// | `send_messages_max` | 65,536 | 1,000 | 50,000 | 100 | 65,536 | 65,536 |
/// | `in_flight_max` | 4,096 | 1,000 | 4,096 | 100 | 4,096 | 4,096 |
/// | `connections_per_broker` | 1 | 1 | 4 | 1 | 1 | 1 |
/// | `connect_deadline` | 5 s | 5 s | 5 s | 5 s | 5 s | 30 s |
/// | `dial_deadline` | 3 s | 3 s | 3 s | 3 s | 5 s | 30 s |
/// | longest `backoff` | 2 s | 2 s | 2 s | 2 s | 1 s | 10 s |
/// | `tcp_keep_alive` | 30 s | 30 s | 30 s | 30 s | 15 s | 60 s |
/// | `idle_close` | never | never | never | never | never | 300 s |
///
/// # For users of pyrocketmq
///
/// The names and most numbers are those of pyrocketmq's `RemoteConfig` and `TransportConfig`. There a pool of
/// connections carries one request each at a time; here one connection carries thousands, and a request has its own
/// deadline. What becomes of their options:
///
/// | there | here |
/// |---|---|
/// | `rpc_timeout`, the transport's `timeout` | `send_deadline`, over all attempts of a send |
/// | `max_waiters` | `send_messages_max`; up to 1,000 also `in_flight_max`, which counts on each connection |
/// | `connection_pool_size` | `connections_per_broker`, opened when they are first used; production's 32 becomes 4, for a broker reads its connections on three threads (Java: `serverSelectorThreads`) |
/// | `connection_pool_timeout`, `connect_timeout` | `dial_deadline`; debug's is also the `connect_deadline`, which would end earlier otherwise |
/// | `connection_max_lifetime` | `connection_life_max`; a connection is replaced, and what is under way on it is waited for |
/// | `retry_interval` | the longest pause of `backoff`, which begins with 50 ms and doubles with jitter |
/// | `keep_alive_idle` | `tcp_keep_alive`; probes follow in a third of it |
/// | `idle_timeout` | `idle_close` |
/// | `max_retries` | none: reconnecting ends with the client |
/// | `cleanup_interval`, `waiter_timeout` | none: whatever waits has a deadline of its own, kept exactly |
/// | eager pools | none: a connection is opened by its first use |
/// | buffer sizes | none: buffers grow and shrink with what is under way, within the bounds on sends and frames |
/// | `max_message_size` | none: everything legal (frames of 16 MiB) is read; a message sent may have 4 MiB |
/// | `enable_metrics`, `opaque_start` | none: nothing to switch |
/// | no-delay, address reuse | none: always without delay; clients bind no address |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Preset {
    /// What a client has of whom nothing is said.
    #[default]
    Default,
    /// Patient with brokers that are being debugged; small bounds show early what leaks.
    Development,
    /// Patient with brokers that flush and replicate before they answer, and more than one connection to each.
    Production,
    /// Bounds so small that tests meet them.
    Testing,
    /// Connections that are found dead, and tried again, sooner.
    HighPerformance,
    /// Time enough to look at every step, and no connection that idles for long.
    Debug,
}

/// The options a preset says something of.
const GOVERNED: [Setting; 9] = [
    Setting::SendDeadline,
    Setting::SendMessagesMax,
    Setting::InFlightMax,
    Setting::ConnectionsPerBroker,
    Setting::ConnectDeadline,
    Setting::DialDeadline,
    Setting::BackoffLongest,
    Setting::TcpKeepAlive,
    Setting::IdleClose,
];

impl Preset {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Default,
        Self::Development,
        Self::Production,
        Self::Testing,
        Self::HighPerformance,
        Self::Debug,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Development => "development",
            Self::Production => "production",
            Self::Testing => "testing",
            Self::HighPerformance => "high-performance",
            Self::Debug => "debug",
        }
    }

    /// The preset of that name, or of a usual short form of it.
    pub(crate) fn named(name: &str, origin: Origin) -> Result<Self, ConfigError> {
        match name.trim().to_ascii_lowercase().replace('_', "-").as_str() {
            "default" => Ok(Self::Default),
            "development" | "dev" => Ok(Self::Development),
            "production" | "prod" => Ok(Self::Production),
            "testing" | "test" => Ok(Self::Testing),
            "high-performance" | "high-perf" => Ok(Self::HighPerformance),
            "debug" => Ok(Self::Debug),
            _ => Err(ConfigError::UnknownPreset { name: name.into(), origin }),
        }
    }

    /// What it sets every option of its table to.
    pub(crate) fn values(self) -> [(Setting, Value); GOVERNED.len()] {
        use Value::{Count, Never, Time};
        const fn s(seconds: u64) -> Value {
            Time(Duration::from_secs(seconds))
        }
        let (send, admitted) = (Time(limits::SEND_DEADLINE), Count(limits::ADMITTED_MESSAGES as u64));
        let in_flight = Count(limits::IN_FLIGHT_PER_CONNECTION as u64);
        let (connect, dial) = (Time(limits::CONNECT_DEADLINE), Time(limits::DIAL_DEADLINE));
        let backoff = Time(limits::BACKOFF_MAX);
        #[rustfmt::skip]
        let row = match self {
            Self::Default =>
                [send,  admitted,      in_flight,   Count(1), connect, dial,  backoff, s(30), Never],
            Self::Development =>
                [s(10), Count(1_000),  Count(1_000), Count(1), connect, dial,  backoff, s(30), Never],
            Self::Production =>
                [s(30), Count(50_000), in_flight,    Count(4), connect, dial,  backoff, s(30), Never],
            Self::Testing =>
                [s(5),  Count(100),    Count(100),   Count(1), connect, dial,  backoff, s(30), Never],
            Self::HighPerformance =>
                [s(10), admitted,      in_flight,    Count(1), connect, s(5),  s(1),    s(15), Never],
            Self::Debug =>
                [s(60), admitted,      in_flight,    Count(1), s(30),   s(30), s(10),   s(60), s(300)],
        };
        std::array::from_fn(|column| (GOVERNED[column], row[column]))
    }
}

impl FromStr for Preset {
    type Err = ConfigError;

    /// Takes the names, in any case and with `-` or `_`, and the short forms `dev`, `prod`, `test` and `high-perf`.
    fn from_str(name: &str) -> Result<Self, ConfigError> {
        Self::named(name, Origin::Program)
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setting::Values;

    #[test]
    fn a_name_leads_back_to_its_preset() {
        for preset in Preset::ALL {
            assert_eq!(preset.to_string().parse(), Ok(preset));
            assert_eq!(preset.as_str().to_uppercase().replace('-', "_").parse(), Ok(preset));
        }
        let short = [("dev", Preset::Development), ("prod", Preset::Production), ("test", Preset::Testing)];
        for (name, preset) in short.into_iter().chain([("high-perf", Preset::HighPerformance)]) {
            assert_eq!(name.parse(), Ok(preset));
        }
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones() {
        let error = "staging".parse::<Preset>().expect_err("no such preset");
        assert_eq!(error, ConfigError::UnknownPreset { name: "staging".into(), origin: Origin::Program });
        let text = error.to_string();
        assert!(text.contains("\"staging\""), "{text}");
        for preset in Preset::ALL {
            assert!(text.contains(preset.as_str()), "{text}");
        }
    }

    #[test]
    fn every_preset_is_in_range_and_the_default_one_is_the_defaults() {
        for preset in Preset::ALL {
            let mut values = Values::default();
            for (setting, value) in preset.values() {
                values.set(setting, value, Origin::Default);
                if preset == Preset::Default {
                    assert_eq!(value, setting.row().default, "{setting}");
                }
            }
            assert_eq!(values.check(), Ok(()), "{preset}");
        }
    }
}
