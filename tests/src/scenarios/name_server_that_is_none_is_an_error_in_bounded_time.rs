//! Something else listens at the name server's address, and says garbage, half a frame, a frame past the limit, or
//! nothing: connecting ends in an error within its 5 s.

use std::time::Duration;

use crate::fake::{Act, Fake};
use crate::scenario::{Driver, Env, Needs, Verdict, holds, timed, within};

pub(super) const NEEDS: Needs = Needs::Nothing;
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let servers = [
        ("garbage", Fake::saying(*b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")?),
        ("half a frame", Fake::saying([0, 0, 0, 200, 0, 0, 0, 100, b'{'])?),
        ("a frame past the limit", Fake::saying(*b"\x7f\xff\xff\xff\0\0\0\x10{}")?),
        ("a negative length", Fake::saying(*b"\xff\xff\xff\xff\0\0\0\x10{}")?),
        ("a header longer than its frame", Fake::saying(*b"\0\0\0\x08\0\xff\xff\xff{}{}")?),
        ("nothing", Fake::silent()?),
        ("the end", Fake::start(|_| vec![Act::Close])?),
        ("no such request", Fake::start(|_| vec![Act::code(3, " request type 105 not supported")])?),
    ];
    let mut said = Vec::new();
    for (what, server) in &servers {
        let (outcome, took) = timed(env.connect_to(&[server.address()])).await;
        within(Duration::from_secs(7), took, what)?;
        let error = outcome.err().ok_or_else(|| format!("it connected to a server that says {what}"))?;
        holds(error.to_string().contains(&server.address()), || {
            format!("{what}: the error does not say who: {error}")
        })?;
        said.push(format!("{what} {:.1}s", took.as_secs_f64()));
    }
    Ok(said.join(", "))
}
