//! What an error says, and what to do next: `cargo run -p fusee --example errors`.
#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use fusee::{ClientBuilder, Message, Result, Retry, Stored};

#[tokio::main]
async fn main() -> Result<()> {
    let client = ClientBuilder::from_env()?.connect().await?;
    let producer = client.producer("fusee-example").start().await?;
    for message in [
        Message::new("fusee-example", "x"),
        Message::new("no such topic", "x"),
        Message::new("fusee-example", ""),
        Message::new("fusee-example", "x").property("UNIQ_KEY", "mine"),
    ] {
        match producer.send(message).await {
            Ok(receipt) => println!("{receipt}"),
            Err(error) if error.stored() == Stored::Unknown => {
                println!("sending again may store it twice: {error}")
            }
            Err(error) => match error.retry() {
                Retry::After(pause) => tokio::time::sleep(pause).await, // for example: the broker is busy
                Retry::Never => println!("{error}\n  {}", error.hint().unwrap_or_default()),
                Retry::Now | _ => println!("{error}"),
            },
        }
    }
    client.close().await?;
    Ok(())
}
