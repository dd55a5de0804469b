//! Every fault of a recipe at once, each under its key.

use anyhow::{Result, ensure};
use augment::policy::Policy;
use torch::ConfigError;
use train::{Cadence, TrainConfig};

/// Faults by key.
#[derive(Default)]
pub(crate) struct Faults(torch::Faults);

impl Faults {
    pub(crate) fn add(&mut self, key: &str, fault: impl std::fmt::Display) {
        self.0.unless(false, key, fault.to_string());
    }

    /// For values that have to lie in a range, each under its whole key.
    pub(crate) fn values(&mut self) -> &mut torch::Faults {
        &mut self.0
    }

    pub(crate) fn of<E: std::fmt::Display>(&mut self, key: &str, result: Result<(), E>) {
        if let Err(error) = result {
            self.add(key, error);
        }
    }

    /// Of what is in the table `table`.
    pub(crate) fn within(&mut self, table: &str, faults: impl IntoIterator<Item = ConfigError>) {
        self.0.within(table, faults);
    }

    pub(crate) fn positive(&mut self, key: &str, value: u64) {
        self.0.at_least_one(key, value);
    }

    /// Of a list that needs an entry.
    pub(crate) fn filled<T>(&mut self, key: &str, list: &[T]) {
        if list.is_empty() {
            self.add(key, "is empty; it needs at least one entry");
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
        self.within(key, config.faults());
    }

    /// Of the settings of a training on texts, which keeps no averages of weights.
    pub(crate) fn train_on_texts(&mut self, key: &str, config: &TrainConfig) {
        self.train(key, config, false);
        if config.ema.is_some() || config.swa.is_some() {
            self.add(key, "texts are trained without averages of weights: leave ema and swa out");
        }
    }

    pub(crate) fn cadence(&mut self, cadence: &Cadence) {
        self.within("cadence", cadence.faults());
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
    pub(crate) fn done(mut self, recipe: &str) -> Result<()> {
        let lines: Vec<_> = self.0.done().iter().map(ToString::to_string).collect();
        ensure!(lines.is_empty(), "the recipe {recipe} cannot run:\n  {}", lines.join("\n  "));
        Ok(())
    }
}

/// Whether a name can be that of a folder of its own.
pub(crate) fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    !name.is_empty() && name.chars().all(plain) && name != ".." && name != "."
}
