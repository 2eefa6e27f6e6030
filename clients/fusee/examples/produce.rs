//! Sends one message on tokio: `NAMESRV_ADDR=127.0.0.1:9876 cargo run -p fusee --example produce`.
#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use fusee::{ClientBuilder, Message, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let client = ClientBuilder::from_env()?.connect().await?;
    let producer = client.producer("fusee-example").start().await?;
    let receipt = producer.send(Message::new("fusee-example", "hello").tag("paid").key("o-1")).await?;
    println!("{receipt}");
    println!("{}", client.close().await?);
    Ok(())
}
