//! What a project says of items without a majority, and of the decisions on them.

use crate::decisions::{self, Undecided, Which};
use crate::error::Result;
use crate::project::Project;
use crate::records::{Names, id_column};
use crate::secret;
use eval_ssa::Adjudication;

impl Project {
    /// Items with votes or skips that have no label yet, with those decided already taken out, at
    /// most `most` of them.
    ///
    /// # Errors
    /// Those of the database.
    pub fn undecided(&self, which: Which, most: usize) -> Result<Vec<Undecided>> {
        let votes = self.settings().votes;
        self.store().read(|db| decisions::undecided(db, votes, which, most))
    }

    /// The decisions on items without a majority.
    ///
    /// # Errors
    /// Those of the database.
    pub fn adjudications(&self, names: Names) -> Result<Vec<Adjudication>> {
        self.store().read(|db| decisions::all(db, id_column(names)))
    }

    /// Keeps decisions; a later one on the same item replaces an earlier one, and one on an item
    /// that votes decide has no effect.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) names an item that is not there; then none is
    /// kept.
    pub fn add_adjudications(&self, decisions: &[Adjudication]) -> Result<usize> {
        let given = decisions.to_vec();
        self.store().write(move |db| decisions::add(db, &given, secret::now()))
    }

    /// All decisions, each with our key of its item.
    pub(crate) fn decided(&self, names: Names) -> Result<Vec<(String, Adjudication)>> {
        self.store().read(|db| {
            let keys = decisions::all(db, id_column(Names::Blind))?.into_iter();
            Ok(keys.map(|one| one.item).zip(decisions::all(db, id_column(names))?).collect())
        })
    }
}
