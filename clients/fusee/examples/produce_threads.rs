//! Sends a thousand messages on threads, without an async runtime:
//! `cargo run -p fusee --no-default-features --features blocking --example produce_threads`.
#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use fusee::{ClientBuilder, Message, Result, rt};

fn main() -> Result<()> {
    let client = ClientBuilder::from_env()?.runtime(rt::Blocking).connect().wait()?;
    let producer = client.producer("fusee-example").start().wait()?;
    // All are started, in this order, before the first receipt is waited for.
    let sends: Vec<_> =
        (0..1000).map(|n| producer.send(Message::new("fusee-example", format!("#{n}")))).collect();
    for send in sends {
        send.wait()?;
    }
    println!("{}", client.close().wait()?);
    Ok(())
}
