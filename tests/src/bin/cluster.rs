//! Holds a cluster of real servers for as long as its standard input is open:
//! `cluster [4.9.4|5.5.0] [--model] [--brokers N] [--name-servers N] [--no-auto-create] [--throughput]
//! [--set KEY=VALUE]...`
//!
//! With `--model` it is the model of that release, in this process. Prints one JSON line when the cluster is usable.
//! Everything stops when the input ends or this process dies.

use std::io::{self, Read as _};
use std::process::ExitCode;

use fusee_tests::broker::{Cluster, ClusterBuilder, Servers, Version};
use serde_json::json;

fn main() -> ExitCode {
    let mut model = false;
    let words = std::env::args().skip(1).filter(|word| {
        model |= word == "--model";
        word != "--model"
    });
    let described = described(words);
    match described {
        Ok(builder) => match if model { hold_model(&builder) } else { hold(&builder) } {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("cluster: {error}");
                ExitCode::FAILURE
            }
        },
        Err(mistake) => {
            eprintln!("cluster: {mistake}");
            ExitCode::from(2)
        }
    }
}

fn hold(builder: &ClusterBuilder) -> Result<(), Box<dyn std::error::Error>> {
    let cluster = builder.start()?;
    let brokers: Vec<String> = (0..cluster.brokers()).map(|i| cluster.broker_addr(i)).collect();
    println!(
        "{}",
        json!({
            "version": cluster.version().as_str(), "name_servers": cluster.name_servers(), "brokers": brokers,
            "directory": cluster.directory(), "processes": cluster.processes(),
        })
    );
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn hold_model(builder: &ClusterBuilder) -> Result<(), Box<dyn std::error::Error>> {
    let model = Servers::Model(builder.model()?);
    let brokers: Vec<String> = (0..model.brokers()).map(|i| model.broker_addr(i)).collect();
    println!(
        "{}",
        json!({
            "version": model.version().as_str(), "name_servers": model.name_servers(), "brokers": brokers,
            "model": true,
        })
    );
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn described(mut words: impl Iterator<Item = String>) -> Result<ClusterBuilder, String> {
    let mut version = Version::V5_5_0;
    let mut changes: Vec<Box<dyn FnOnce(ClusterBuilder) -> ClusterBuilder>> = Vec::new();
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        match word.as_str() {
            "--brokers" => {
                let count = value()?.parse().map_err(|error| format!("--brokers: {error}"))?;
                changes.push(Box::new(move |builder| builder.brokers(count)));
            }
            "--name-servers" => {
                let count = value()?.parse().map_err(|error| format!("--name-servers: {error}"))?;
                changes.push(Box::new(move |builder| builder.name_servers(count)));
            }
            "--no-auto-create" => changes.push(Box::new(|builder| builder.auto_create(false))),
            "--throughput" => changes.push(Box::new(ClusterBuilder::for_throughput)),
            "--set" => {
                let pair = value()?;
                let (key, value) =
                    pair.split_once('=').ok_or_else(|| format!("--set {pair}: expected KEY=VALUE"))?;
                let (key, value) = (key.to_owned(), value.to_owned());
                changes.push(Box::new(move |builder| builder.set(&key, &value)));
            }
            other => {
                let known = Version::ALL.into_iter().find(|version| version.as_str() == other);
                version = known.ok_or_else(|| format!("what is {other}?"))?;
            }
        }
    }
    Ok(changes.into_iter().fold(Cluster::builder(version), |builder, change| change(builder)))
}
