//! Sends start on the call, not on the first poll: `cargo run -p fusee --example pipeline`.
#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use fusee::{ClientBuilder, Message, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let client = ClientBuilder::from_env()?.connect().await?;
    let producer = client.producer("fusee-example").start().await?;

    let a = producer.send(Message::new("fusee-example", "1")); // on its way already
    let b = producer.send(Message::new("fusee-example", "2")); // behind it
    let (a, b) = (a.await?, b.await?);
    println!("{a}\n{b}");

    // Dropping an admitted send never un-sends it: only the receipt is lost.
    drop(producer.send(Message::new("fusee-example", "3")));

    // Where no waiting is wanted at all, a full client gives the message back.
    match producer.try_send(Message::new("fusee-example", "4")) {
        Ok(sent) => println!("{}", sent.await?),
        Err(refused) => println!("kept for later ({refused}): {:?}", refused.message),
    }

    println!("{}", client.close().await?); // waits for the third message, too
    Ok(())
}
