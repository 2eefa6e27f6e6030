//! A broker that answers garbage, half a frame, a frame past the limit, a reply without fields, or nothing: the send
//! ends within its deadline, as unknown, for the request did reach the broker.

use std::collections::BTreeMap;
use std::time::Duration;

use fusee::{Message, Stored};

use crate::fake::{Act, Fake};
use crate::scenario::{Driver, Env, Needs, Verdict, same, timed, within};

pub(super) const NEEDS: Needs = Needs::Nothing;
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

const SEND: i32 = 310;

pub(super) async fn run(env: &Env) -> Verdict {
    let fields = |queue: &str| {
        let offset_id = "7F00000100002A9F0000000000000000".to_owned();
        BTreeMap::from([
            ("msgId".to_owned(), offset_id),
            ("queueId".to_owned(), queue.to_owned()),
            ("queueOffset".to_owned(), "-".to_owned()),
        ])
    };
    let nonsense = [
        ("garbage", Act::Bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())),
        ("half a frame", Act::Bytes(vec![0, 0, 0, 200, 0, 0, 0, 100, b'{'])),
        ("a frame past the limit", Act::Bytes(b"\x7f\xff\xff\xff\0\0\0\x10{}".to_vec())),
        ("the end", Act::Close),
        ("success without fields", Act::code(0, "")),
        ("success with fields that are no numbers", Act::Reply(0, "", fields("zero"), Vec::new())),
        ("nothing", Act::Bytes(Vec::new())),
    ];
    let mut said = Vec::new();
    for (what, act) in nonsense {
        let broker =
            Fake::start(
                move |request| if request.code == SEND { vec![act.clone()] } else { vec![Act::code(0, "")] },
            )?;
        let address = broker.address();
        let name_server = Fake::start(move |_| vec![Act::route_to(&address, 4)])?;
        let client = env.connect_hastily_to(&[name_server.address()]).await?;
        let producer = client.producer("p").start().await?;
        let (outcome, took) = timed(producer.send(Message::new("orders", "x"))).await;
        within(Duration::from_secs(4), took, what)?;
        let error = outcome.err().ok_or_else(|| format!("{what} counts as stored"))?;
        same(&error.stored(), &Stored::Unknown, &format!("{what}: {error}"))?;
        let (_, took) = timed(client.close()).await;
        within(Duration::from_secs(11), took, "closing")?;
        said.push(what);
    }
    Ok(said.join(", "))
}
