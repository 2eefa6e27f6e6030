//! What a client said of its sends, held against what the store holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use fusee::{Message, Producer, Receipt, SendError, Stored};

use super::{Env, Failed};

/// The outcomes of sends, by the text of their bodies, which has to differ.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Sends that ended in a receipt, with the place it names.
    pub stored: BTreeMap<String, (String, i32, i64)>,
    /// Sends that are provably not stored.
    pub not_stored: BTreeSet<String>,
    /// The others.
    pub unknown: BTreeSet<String>,
}

/// What the store says to a tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth {
    stored: usize,
    not_stored: usize,
    unknown: usize,
    /// Unknown ones that are in the store.
    found: usize,
    /// Copies beyond the first.
    duplicates: usize,
}

impl fmt::Display for Truth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stored, not_stored, unknown, found, duplicates } = self;
        write!(
            f,
            "stored {stored}, not stored {not_stored}, unknown {unknown} (of them {found} in the store), "
        )?;
        write!(f, "duplicates {duplicates}, lies 0")
    }
}

impl Tally {
    /// Keeps one outcome.
    pub fn add(&mut self, text: impl Into<String>, outcome: &Result<Receipt, SendError>) {
        let text = text.into();
        match outcome {
            Ok(receipt) => {
                let place = (receipt.queue.broker.as_str().to_owned(), receipt.queue.queue, receipt.offset);
                self.stored.insert(text, place);
            }
            Err(error) if error.stored() == Stored::No => drop(self.not_stored.insert(text)),
            Err(_) => drop(self.unknown.insert(text)),
        }
    }

    /// Sends again and again, for at most a minute, until a receipt comes, and keeps every outcome.
    pub async fn until_stored(
        &mut self,
        env: &Env,
        producer: &Producer,
        topic: &str,
        what: &str,
    ) -> Result<(), Failed> {
        env.until(Duration::from_secs(60), what, async || {
            let text = env.name(what);
            let outcome = producer.send(Message::new(topic, text.as_str())).await;
            self.add(text, &outcome);
            Ok(outcome.ok())
        })
        .await
        .map(drop)
    }

    /// Scans the topic and fails when an outcome is a lie: stored and not there or not where the receipt says, not
    /// stored and there, or there without having been sent.
    pub async fn check(&self, env: &Env, topic: &str) -> Result<Truth, Failed> {
        let found = env.settled(topic).await?;
        let mut places: BTreeMap<String, Vec<(String, i32, i64)>> = BTreeMap::new();
        for message in &found {
            let place = (message.broker.clone(), message.queue, message.offset);
            places.entry(message.text()).or_default().push(place);
        }
        let lost = self
            .stored
            .iter()
            .filter(|(text, place)| !places.get(*text).is_some_and(|at| at.contains(place)));
        let ghosts = self.not_stored.iter().filter(|text| places.contains_key(*text));
        let known = |text: &str| {
            self.stored.contains_key(text) || self.not_stored.contains(text) || self.unknown.contains(text)
        };
        let strangers = places.keys().filter(|text| !known(text));
        let shortened = |text: &String| text.chars().take(40).collect::<String>();
        let lost: Vec<String> = lost.map(|(text, place)| format!("{} {place:?}", shortened(text))).collect();
        let ghosts: Vec<String> = ghosts.map(shortened).collect();
        let strangers: Vec<String> = strangers.map(shortened).collect();
        let lies = lost.len() + ghosts.len() + strangers.len();
        if lies > 0 {
            let head = |list: &[String]| format!("{} {:?}", list.len(), &list[..list.len().min(5)]);
            return Err(format!(
                "{lies} lies: said stored and is not {}, said not stored and is {}, never sent {}",
                head(&lost),
                head(&ghosts),
                head(&strangers)
            )
            .into());
        }
        Ok(Truth {
            stored: self.stored.len(),
            not_stored: self.not_stored.len(),
            unknown: self.unknown.len(),
            found: self.unknown.iter().filter(|text| places.contains_key(*text)).count(),
            duplicates: places.values().map(|at| at.len() - 1).sum(),
        })
    }
}
