//! Every fault of a recipe at once, each under its key.

use anyhow::{Result, bail};
use augment::policy::Policy;
use train::{Cadence, TrainConfig};

/// Faults by key.
#[derive(Default)]
pub(crate) struct Faults(Vec<String>);

impl Faults {
    pub(crate) fn add(&mut self, key: &str, fault: impl std::fmt::Display) {
        self.0.push(format!("{key}: {fault}"));
    }

    pub(crate) fn of<E: std::fmt::Display>(&mut self, key: &str, result: Result<(), E>) {
        if let Err(error) = result {
            self.add(key, error);
        }
    }

    pub(crate) fn positive(&mut self, key: &str, value: u64) {
        if value == 0 {
            self.add(key, "must be at least 1");
        }
    }

    pub(crate) fn policy(&mut self, key: &str, policy: &Policy) {
        self.of(key, policy.check());
    }

    /// Of the settings of a training, which may take no steps if `given` (its weights come from
    /// elsewhere).
    pub(crate) fn train(&mut self, key: &str, config: &TrainConfig, given: bool) {
        if !given {
            self.positive(&format!("{key}.steps"), config.steps);
        }
        for fault in config.faults() {
            self.add(&format!("{key}.{}", fault.key), fault.fault);
        }
    }

    /// Of the settings of a training on texts, which keeps no averages of weights.
    pub(crate) fn train_on_texts(&mut self, key: &str, config: &TrainConfig) {
        self.train(key, config, false);
        if config.ema.is_some() || config.swa.is_some() {
            self.add(key, "texts are trained without averages of weights: leave ema and swa out");
        }
    }

    pub(crate) fn cadence(&mut self, cadence: &Cadence) {
        for fault in cadence.faults() {
            self.add(&format!("cadence.{}", fault.key), fault.fault);
        }
    }

    /// Rows of a table, each by its name and the row that it is compared with.
    pub(crate) fn rows<'a>(&mut self, rows: impl Iterator<Item = (&'a str, Option<&'a str>)>) {
        let rows: Vec<_> = rows.collect();
        for (i, (name, against)) in rows.iter().enumerate() {
            let key = format!("rows.{name}");
            if !is_plain(name) || rows[..i].iter().any(|(earlier, _)| earlier == name) {
                self.add(&key, "needs a name of its own, of letters, digits, - and _");
            }
            if let Some(other) = against
                && rows.iter().all(|(known, _)| known != other)
            {
                self.add(&key, format!("against: there is no row {other}"));
            }
        }
    }

    /// Names all of them, if there are any.
    pub(crate) fn done(self, recipe: &str) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        bail!("the recipe {recipe} cannot run:\n  {}", self.0.join("\n  "))
    }
}

/// Whether a name can be that of a folder of its own.
pub(crate) fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    !name.is_empty() && name.chars().all(plain) && name != ".." && name != "."
}
