//! A cluster of the model on loopback, until standard input ends.
//!
//! `cargo run -p fusee-sim --example serve -- [--brokers N] [--line 4.9] [--port P] [--strict] [--topic NAME:QUEUES]…`
#![expect(clippy::print_stdout, reason = "this is a command")]

use std::io::Read as _;

use fusee_sim::{Cluster, Line};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = Cluster::builder();
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} wants a value"));
        builder = match &*arg {
            "--brokers" => builder.brokers(value()?.parse()?),
            "--port" => builder.port(value()?.parse()?),
            "--strict" => builder.strict(),
            "--line" if value()? == "4.9" => builder.line(Line::V4_9),
            "--line" => builder,
            "--topic" => {
                let topic = value()?;
                let (name, queues) = topic.split_once(':').unwrap_or((&topic, "4"));
                builder.topic(name, queues.parse()?)
            }
            other => return Err(format!("unknown: {other}").into()),
        };
    }
    let cluster = builder.try_start()?;
    println!("{}", cluster.addr());
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
