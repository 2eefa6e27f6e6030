//! Nobody listens at the name server's address: connecting says so, naming the address, within its 5 s.

use std::time::Duration;

use crate::fake::closed_port;
use crate::scenario::{Driver, Env, Needs, Verdict, holds, timed, within};

pub(super) const NEEDS: Needs = Needs::Nothing;
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let nobody = closed_port()?;
    let (outcome, took) = timed(env.connect_to(std::slice::from_ref(&nobody))).await;
    within(Duration::from_secs(6), took, "connecting to nobody")?;
    let error = outcome.err().ok_or("it connected to nobody")?;
    holds(error.to_string().contains(&nobody), || format!("the error does not name {nobody}: {error}"))?;
    holds(error.hint().is_some(), || format!("no hint: {error}"))?;

    let (outcome, took) = timed(env.connect_to(&["no-such-host.invalid:9876".to_owned()])).await;
    within(Duration::from_secs(6), took, "connecting to a host without address")?;
    holds(outcome.is_err(), || "it connected to a host that does not exist".to_owned())?;
    Ok(error.to_string())
}
