//! TLS refuses in bounded time, with an error that says so: a server signed by somebody else, one that is called
//! otherwise, one that speaks no TLS; and a server refuses a client without a certificate, or without TLS.

use std::time::Duration;

use fusee::{ClientBuilder, Tls};

use crate::broker::Secured;
use crate::broker::certificates::{Authority, Flavour};
use crate::fake::Fake;
use crate::scenario::{Driver, Env, Failed, Needs, Verdict, holds, timed, within};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| {
    cluster.secured(Secured { enforcing: true, mutual: true, flavour: Flavour::Good })
});
pub(super) const DRIVERS: &[Driver] = Driver::ALL;

pub(super) async fn run(env: &Env) -> Verdict {
    let us = Authority::ours().client();
    let ours =
        || Tls::authorities(Authority::ours().certificate()).identity(us.certificate.clone(), us.key.clone());
    let other = Authority::new("somebody else");
    let stranger = other.client();
    let somebody_else =
        Tls::authorities(other.certificate()).identity(us.certificate.clone(), us.key.clone());
    let builder = || env.builder().name_servers(env.cluster().name_servers());
    let plain = Fake::saying(*b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
    let mut said = Vec::new();
    for (what, builder) in [
        ("signed by somebody else", builder().tls(somebody_else)),
        ("called otherwise", builder().tls(ours().server_name("elsewhere.example"))),
        ("no TLS there", env.builder().name_servers([plain.address()]).tls(ours())),
        ("no certificate of ours", builder().tls(Tls::authorities(Authority::ours().certificate()))),
        (
            "a certificate of ours that they do not trust",
            builder().tls(
                Tls::authorities(Authority::ours().certificate())
                    .identity(stranger.certificate, stranger.key),
            ),
        ),
        ("no TLS here", builder()),
    ] {
        said.push(format!("{what}: {}", refused(env, what, builder).await?));
    }
    // What is wrong with files is said before anything is opened.
    let error = env.driver.connect(builder().tls(Tls::authorities("no certificate"))).await.err();
    let error = error.ok_or("a text that is no certificate was taken for one")?;
    holds(matches!(error, fusee::ConnectError::Config(_)), || error.to_string())?;
    Ok(said.join("; "))
}

async fn refused(env: &Env, what: &str, builder: ClientBuilder) -> Result<String, Failed> {
    let (outcome, took) = timed(env.driver.connect(builder.connect_deadline(Duration::from_secs(2)))).await;
    within(Duration::from_secs(3), took, what)?;
    match outcome {
        Ok(_) => Err(format!("{what}: it connected").into()),
        Err(error) => Ok(error.to_string()),
    }
}
