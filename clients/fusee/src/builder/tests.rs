//! What a builder makes of what it is told.

use super::*;

#[test]
fn the_defaults_are_in_range_and_name_this_machine() {
    let (config, settings, _) = ClientBuilder::new().finish().expect("legal defaults");
    assert_eq!(config.connections, ConnectionConfig::default());
    assert_eq!(settings.sockets, Settings::default().sockets);
    assert_eq!(config.name_servers, [Address::new("127.0.0.1:9876").expect("an address")]);
    assert_eq!(config.send, SendConfig::default());
    assert!(config.client_id.as_str().contains(&format!("@{}#", std::process::id())), "{}", config.client_id);
}

#[test]
fn name_servers_may_be_items_and_lists() {
    let builder = ClientBuilder::new().name_servers(["a:1;b:2".to_owned(), "c:3".to_owned()]);
    assert_eq!(builder.name_servers_origin(), Origin::Program);
    let servers = builder.finish().expect("legal").0.name_servers;
    assert_eq!(servers.iter().map(Address::as_str).collect::<Vec<_>>(), ["a:1", "b:2", "c:3"]);
}

#[test]
fn what_is_out_of_range_is_named() {
    let range = |builder: ClientBuilder| match builder.finish() {
        Err(ConfigError::Range { option, .. }) => option,
        other => panic!("{other:?}"),
    };
    let new = ClientBuilder::new;
    assert_eq!(range(new().send_deadline(Duration::ZERO)), "send_deadline");
    assert_eq!(range(new().send_attempts(0)), "send_attempts");
    assert_eq!(range(new().send_messages_max(0)), "send_messages_max");
    assert_eq!(range(new().send_bytes_max(0)), "send_bytes_max");
    assert_eq!(range(new().connect_deadline(Duration::MAX)), "connect_deadline");
    assert_eq!(range(new().close_deadline(Duration::MAX)), "close_deadline");
    assert_eq!(range(new().heartbeat_interval(Duration::from_secs(61))), "heartbeat_interval");
    assert_eq!(range(new().route_refresh_interval(Duration::ZERO)), "route_refresh_interval");
    assert_eq!(range(new().connections_per_broker(0)), "connections_per_broker");
    assert_eq!(range(new().backoff(Duration::from_secs(3), Duration::from_secs(2))), "backoff_first");
    assert_eq!(range(new().backoff(Duration::ZERO, Duration::from_secs(2))), "backoff_first");
    assert_eq!(range(new().backoff(Duration::from_secs(3), Duration::MAX)), "backoff_longest");
    assert_eq!(range(new().in_flight_max(0)), "in_flight_max");
    assert_eq!(range(new().idle_close(Duration::ZERO)), "idle_close");
    assert_eq!(range(new().connection_life_max(Duration::ZERO)), "connection_life_max");
    assert_eq!(range(new().tcp_keep_alive(Duration::from_millis(999))), "tcp_keep_alive");
    assert_eq!(new().name_servers([""]).finish().expect_err("none"), ConfigError::NoNameServer);
    assert!(matches!(new().client_id("a\n").finish(), Err(ConfigError::ClientId(_))));
}

fn from(pairs: &[(&str, &str)]) -> Result<ClientBuilder, ConfigError> {
    let lookup = |name: &str| pairs.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
    ClientBuilder::from_variables(lookup)
}

#[test]
fn every_option_reaches_the_machine_or_the_socket() {
    let s = Duration::from_secs;
    let all = [
        ("FUSEE_SEND_DEADLINE", "1s"),
        ("FUSEE_SEND_ATTEMPTS", "2"),
        ("FUSEE_SEND_MESSAGES_MAX", "3"),
        ("FUSEE_SEND_BYTES_MAX", "4KiB"),
        ("FUSEE_CONNECT_DEADLINE", "5"),
        ("FUSEE_CLOSE_DEADLINE", "6s"),
        ("FUSEE_HEARTBEAT_INTERVAL", "7s"),
        ("FUSEE_ROUTE_REFRESH_INTERVAL", "8s"),
        ("FUSEE_CONNECTIONS_PER_BROKER", "9"),
        ("FUSEE_DIAL_DEADLINE", "10s"),
        ("FUSEE_BACKOFF_FIRST", "11ms"),
        ("FUSEE_BACKOFF_LONGEST", "12s"),
        ("FUSEE_IN_FLIGHT_MAX", "13"),
        ("FUSEE_IDLE_CLOSE", "14s"),
        ("FUSEE_CONNECTION_LIFE_MAX", "15m"),
        ("FUSEE_TCP_KEEP_ALIVE", "16s"),
    ];
    assert_eq!(all.len(), Setting::ALL.len());
    let builder = from(&all).expect("legal");
    for (setting, (variable, _)) in Setting::ALL.into_iter().zip(all) {
        assert_eq!(builder.origin(setting), Origin::Variable(variable));
    }
    let by_hand = ClientBuilder::new()
        .send_deadline(s(1))
        .send_attempts(2)
        .send_messages_max(3)
        .send_bytes_max(4096)
        .connect_deadline(s(5))
        .close_deadline(s(6))
        .heartbeat_interval(s(7))
        .route_refresh_interval(s(8))
        .connections_per_broker(9)
        .dial_deadline(s(10))
        .backoff(Duration::from_millis(11), s(12))
        .in_flight_max(13)
        .idle_close(s(14))
        .connection_life_max(s(15 * 60))
        .tcp_keep_alive(s(16));
    for setting in Setting::ALL {
        assert_eq!(by_hand.origin(setting), Origin::Program, "{setting}");
    }
    for builder in [builder, by_hand] {
        let (config, settings, _) = builder.client_id("me").finish().expect("legal");
        let send = SendConfig { deadline: s(1), attempts: 2, admitted_messages: 3, admitted_bytes: 4096 };
        let connections = ConnectionConfig {
            dial_deadline: s(10),
            backoff_min: Duration::from_millis(11),
            backoff_max: s(12),
            in_flight: 13,
            per_broker: 9,
            idle_close: Some(s(14)),
            life_max: Some(s(900)),
        };
        let wanted = Config {
            send,
            connections,
            connect_deadline: s(5),
            close_deadline: s(6),
            heartbeat: s(7),
            route_refresh: s(8),
            ..Config::new(config.name_servers.clone(), ClientId::new("me").expect("legal"))
        };
        assert_eq!(config, wanted);
        assert_eq!(settings.sockets.keep_alive, Some(s(16)));
    }
}

#[test]
fn the_later_of_a_preset_and_a_single_option_counts() {
    let deadline = |builder: ClientBuilder| builder.finish().expect("legal").0.send.deadline;
    let one = Duration::from_secs(1);
    let (before, preset) = (ClientBuilder::new().send_deadline(one), Preset::Production);
    assert_eq!(deadline(before.preset(preset)), Duration::from_secs(30));
    assert_eq!(deadline(ClientBuilder::new().preset(preset).send_deadline(one)), one);
    let twice = ClientBuilder::new().preset(Preset::Debug).preset(Preset::Default);
    assert_eq!(twice.finish().expect("legal").0.connections, ConnectionConfig::default());
    // What a preset says nothing of stays.
    let attempts = ClientBuilder::new().send_attempts(7).preset(preset);
    assert_eq!(attempts.origin(Setting::SendAttempts), Origin::Program);
    assert_eq!(attempts.origin(Setting::SendDeadline), Origin::Preset { preset, variable: None });
    assert_eq!(attempts.finish().expect("legal").0.send.attempts, 7);
}

#[test]
fn in_the_environment_a_single_option_goes_before_a_preset() {
    let builder = from(&[("FUSEE_PRESET", "testing"), ("PYROCKETMQ_RPC_TIMEOUT", "7")]).expect("legal");
    let preset = Origin::Preset { preset: Preset::Testing, variable: Some("FUSEE_PRESET") };
    assert_eq!(builder.origin(Setting::SendMessagesMax), preset);
    assert_eq!(preset.to_string(), "preset testing, named by environment variable FUSEE_PRESET");
    assert_eq!(builder.origin(Setting::SendDeadline), Origin::Variable("PYROCKETMQ_RPC_TIMEOUT"));
    assert_eq!(builder.origin(Setting::CloseDeadline), Origin::Default);
    let (config, ..) = builder.finish().expect("legal");
    assert_eq!((config.send.deadline, config.send.admitted_messages), (Duration::from_secs(7), 100));
}

#[test]
fn what_the_environment_may_not_say_is_an_error_at_once() {
    let error = from(&[("FUSEE_DIAL_DEADLINE", "2h")]).expect_err("too long");
    assert_eq!(
        error.to_string(),
        "environment variable FUSEE_DIAL_DEADLINE is \"2h\", allowed are 1 ms to 1 h"
    );
    assert!(matches!(from(&[("FUSEE_PRESET", "x")]), Err(ConfigError::UnknownPreset { .. })));
    assert!(matches!(from(&[("PYROCKETMQ_SERVER_ADDRESS", "x")]), Err(ConfigError::Address { .. })));
}
