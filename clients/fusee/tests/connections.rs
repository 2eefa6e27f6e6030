//! What can be seen of connections, as they are and as they change.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use fusee::{Client, ConnState, Connection, Message, Note, Result, rt};
use fusee_sim::Cluster;

const LONG: Duration = Duration::from_secs(20);

/// The next note that is what is waited for.
fn await_note(notes: &Receiver<Note>, wanted: impl Fn(&Note) -> bool) {
    let deadline = Instant::now() + LONG;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if wanted(&notes.recv_timeout(left).expect("the note comes")) {
            return;
        }
    }
}

fn to_broker(client: &Client) -> Connection {
    client.connections().into_iter().find(|connection| connection.broker).expect("there is one broker")
}

#[test]
fn a_connection_that_is_lost_and_comes_back_is_seen_and_told() -> Result<()> {
    let cluster = Cluster::builder().topic("orders", 4).start();
    let (tell, notes) = channel();
    let watcher = move |note: &Note| {
        // Nobody listens any more when the test is over.
        let _ = tell.send(note.clone());
    };
    let begun = Instant::now();
    let builder = Client::builder().name_servers([cluster.addr()]).runtime(rt::Blocking);
    let client = builder.watch(watcher).send_deadline(LONG).connect().wait()?;
    let name_servers = client.connections();
    assert!(name_servers.iter().any(|connection| !connection.broker && connection.state == ConnState::Up));

    let producer = client.producer("p").start().wait()?;
    producer.send(Message::new("orders", "1")).wait()?;
    let broker = to_broker(&client);
    await_note(&notes, |note| *note == Note::Connected(broker.address.clone()));
    assert_eq!((broker.state, broker.ups, &broker.last_lost), (ConnState::Up, 1, &None));
    assert_eq!((broker.lane, broker.waiting), (0, 0));
    assert!(broker.bytes_written > 100 && broker.bytes_received > 100, "{broker:?}");
    assert!((begun..=Instant::now()).contains(&broker.since), "{:?}", broker.since);

    cluster.kill(0);
    await_note(&notes, |note| matches!(note, Note::Lost(peer, _) if *peer == broker.address));
    await_note(&notes, |note| matches!(note, Note::Backoff(peer, _) if *peer == broker.address));
    let lost = to_broker(&client);
    assert_ne!(lost.state, ConnState::Up);
    assert!(lost.last_lost.is_some() && lost.since > broker.since, "{lost:?}");

    cluster.restart(0);
    producer.send(Message::new("orders", "2")).wait()?;
    await_note(&notes, |note| *note == Note::Dialing(broker.address.clone()));
    await_note(&notes, |note| *note == Note::Connected(broker.address.clone()));
    let back = to_broker(&client);
    assert_eq!((back.state, back.ups), (ConnState::Up, 2));
    assert!(back.bytes_written > 0, "{back:?}");
    client.close().wait()?;
    Ok(())
}
