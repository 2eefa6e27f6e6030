//! Reads a topic from its beginning to its end, twice: `cargo run -p fusee --features blocking --example read`.
#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use std::time::Duration;

use fusee::{ClientBuilder, Position, Result, StartFrom, rt};

fn main() -> Result<()> {
    let client = ClientBuilder::from_env()?.runtime(rt::Blocking).connect().wait()?;
    let queues = client.queues("fusee-example").wait()?;
    let mut pull = client
        .lite_pull("fusee-example-reader")
        .assign(queues.iter().cloned())
        .from(StartFrom::First) // where this group has committed nothing yet
        .auto_commit(false)
        .start()
        .wait()?;

    let limit = Duration::from_secs(5);
    while let Some(batch) = pull.poll_until_end(limit).wait()? {
        for message in &batch {
            println!("{}@{} {:?} {}", message.queue(), message.offset(), message.tag(), message.text()?);
        }
        pull.commit().wait()?; // only what has been dealt with
    }

    let mut again = 0;
    for queue in &queues {
        pull.seek(queue, Position::Begin)?;
    }
    while let Some(batch) = pull.poll_until_end(limit).wait()? {
        again += batch.len();
    }
    println!("{again} messages in all");

    pull.close().wait()?;
    client.close().wait()?;
    Ok(())
}
