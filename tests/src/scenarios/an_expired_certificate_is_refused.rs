//! Servers whose certificate has expired are refused, with an error that says so.

use fusee::Tls;

use crate::broker::Secured;
use crate::broker::certificates::{Authority, Flavour};
use crate::scenario::{Driver, Env, Needs, Verdict, holds};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| {
    cluster.secured(Secured { enforcing: false, mutual: false, flavour: Flavour::Expired })
});
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let builder = env.builder().name_servers(env.cluster().name_servers());
    let tls = Tls::authorities(Authority::ours().certificate());
    let error =
        env.driver.connect(builder.tls(tls)).await.err().ok_or("an expired certificate was accepted")?;
    let text = error.to_string();
    holds(text.contains("TLS") && text.to_lowercase().contains("expired"), || text.clone())?;
    Ok(text)
}
